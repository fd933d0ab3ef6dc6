"""``erfailover demo``: the whole story on a lab of its own.

Never touches a lab or a site that it has not made.
"""
