"""Decisions: what to write, in which order, and whether it is safe. Pure.

Never reads, writes, waits or prints: values in, values out.
"""
