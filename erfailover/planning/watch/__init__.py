"""What ``erfailover watch`` concludes of its readings, and whether it may switch. Pure.

Never decides how a switch is made.
"""
