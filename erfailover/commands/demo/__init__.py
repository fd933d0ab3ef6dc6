"""``erfailover demo``: an end-to-end demo on a temporary lab.

Never touches a lab or a site that it has not made.
"""
