"""``erfailover switch`` and ``prestage``: observe, plan, confirm, execute, verify."""
