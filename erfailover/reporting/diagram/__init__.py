"""The topology as a sheet of cards in SVG. Pure.

Never decides what is healthy: that is ``reporting.topology``, from the model's verdicts.
"""
