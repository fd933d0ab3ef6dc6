"""The web server of ``erfailover watch``: page, live events, metrics, health. Read-only."""
