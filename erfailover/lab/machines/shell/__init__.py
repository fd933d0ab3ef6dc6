"""The shell of a run command, and the programs that it knows.

Never guesses: an unknown program answers 127 and says that the lab does not model it.
"""
