"""``erfailover provision`` and ``destroy``, and the keys that they need.

Never prints a secret, and never changes a resource that the site file does not describe.
"""
