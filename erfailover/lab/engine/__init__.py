"""The world over time: how operations end, faults, throttling, metrics, snapshots.

Never parses a request.
"""
