"""``erfailover switch`` and ``prestage``: observe, plan, confirm, execute, verify.

Never writes what the plan, as shown, did not name.
"""
