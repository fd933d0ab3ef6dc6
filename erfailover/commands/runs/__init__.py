"""The record of a run, its report, and ``erfailover history``.

Never records a secret.
"""
