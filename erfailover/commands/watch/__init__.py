"""``erfailover watch``: reads both paths, notifies, and switches if it may.

Never decides: the state machine and the policy are ``planning.watch``.
"""
