"""Resource types, each in a module behind a registry, and what they have in common.

Never starts or ends an operation, and never checks a caller's rights.
"""
