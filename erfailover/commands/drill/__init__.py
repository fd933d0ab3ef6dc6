"""``erfailover drill``: a spoke moved to the backup path and back, or a simulated failure.

Never moves a spoke but by ``commands.switch``.
"""
