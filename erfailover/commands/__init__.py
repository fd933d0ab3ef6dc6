"""The flow of each command: observe, plan, confirm, execute, verify, report.

Never imports the Azure SDK, and never decides what is safe.

Importing this package costs nothing; ``cli`` imports a command's module when it is called.
"""
