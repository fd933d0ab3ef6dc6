"""``erfailover drill``: a spoke moved to the backup path and back, or a simulated failure.

Moves a spoke only by ``commands.switch``.
"""
