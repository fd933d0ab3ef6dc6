"""Immutable values that all other packages share: site, readings, plan, tasks, lease. Pure.

Never reads, writes or decides anything.
"""
