"""Whether a drill may start, and how far it is. Pure.

Never decides whether a spoke moves.
"""
