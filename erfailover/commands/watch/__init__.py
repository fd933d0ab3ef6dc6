"""``erfailover watch``: reads both paths all the time, notifies, and switches if it may.

Decides nothing, and never writes to Azure but through ``commands.switch``: the state machine and
the policy are ``planning.watch``.
"""
