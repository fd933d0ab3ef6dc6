"""What ``erfailover watch`` shows and sends: its page, its health, its notifications. Pure.

Never decides anything.
"""
