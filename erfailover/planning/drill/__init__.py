"""Whether a drill may start, and how one stands. Pure."""
