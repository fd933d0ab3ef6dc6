"""Whether a drill may start, how far it is, and when the next is due. Pure.

Never decides how a spoke moves.
"""
