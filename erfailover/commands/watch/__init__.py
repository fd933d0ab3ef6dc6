"""``erfailover watch``: who leads, pause and resume, approval, and the loop that joins them.

Never decides when to switch, and never writes to Azure but through ``commands.switch``.
"""
