"""Whether a switch would work: checks, verdicts, remedies, permissions. Pure.

Never counts an unknown reading as a pass.
"""
