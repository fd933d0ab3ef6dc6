"""The shell of a run command, and its programs.

Never guesses: an unknown program exits with 127 and a message that the lab does not model it.
"""
