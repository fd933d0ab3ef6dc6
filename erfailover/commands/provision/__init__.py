"""``erfailover provision`` and ``destroy``, and the keys that they need."""
