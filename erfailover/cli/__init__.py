"""The command line: commands, options, help, completion, exit codes.

Never decides about networks, and never loads the Azure SDK to show help.
"""
