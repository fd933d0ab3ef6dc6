"""``erfailover watch``: reads its sites, follows their states, switches and notifies.

Never decides whether to switch: that is ``planning.watch``.
"""
