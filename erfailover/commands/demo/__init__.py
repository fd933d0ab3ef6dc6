"""``erfailover demo``: the whole story on a lab of its own."""
