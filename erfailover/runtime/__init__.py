"""Mechanisms without Azure: clock, executor, waits, logs, journal, state, secrets.

Never decides about networks, and never imports the Azure SDK.
"""
