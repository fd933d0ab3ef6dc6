"""``erfailover lab``: the lab's own command line."""
