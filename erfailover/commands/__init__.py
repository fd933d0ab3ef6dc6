"""What each command does: observe, plan, execute, verify, report.

Importing this package costs nothing; ``cli`` imports a command's module when it is called.
"""
