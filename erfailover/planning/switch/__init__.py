"""The steps of a switch, their order, their duration, their result. Pure.

Never plans a write on an unknown reading that the step's precondition names.
"""
