"""Mechanisms that know nothing of Azure: clock, executor, waits, logs, journal, secrets."""
