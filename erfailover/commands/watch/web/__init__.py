"""The web server of ``erfailover watch``: page, live events, metrics, health.

Never changes anything: what it shows comes from the watchers.
"""
