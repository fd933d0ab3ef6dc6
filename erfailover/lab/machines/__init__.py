"""Virtual machines: routes, packet filters, a shell, and whether a packet arrives.

Never runs a program of the machine that the lab runs on.
"""
