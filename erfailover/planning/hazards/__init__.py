"""Hazards: what would keep traffic on the path being left, or bring it back another way. Pure.

Never refuses on an unknown reading: a table that may not be read must not keep a spoke on a dead
hub.
"""
