"""``erfailover verify`` and the probes of a switch: who asks, from where, how often.

Never interprets an answer: that is ``planning.probes``.
"""
