"""Hazards: what would keep traffic on the path being left, or bring it back another way. Pure.

Never refuses on an unknown reading: a missing right to read a table must not keep a spoke on a
dead hub.
"""
