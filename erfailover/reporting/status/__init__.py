"""The status of a site, and what has changed in it, as text and data. Pure.

Never decides what is healthy: that is ``planning.health``.
"""
