"""The observed topology with marks, from which all pictures are drawn. Pure.

Never draws.
"""
