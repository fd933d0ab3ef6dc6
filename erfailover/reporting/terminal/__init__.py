"""The topology in characters. Pure.

Never looks at a terminal: width, colour and characters are given.
"""
