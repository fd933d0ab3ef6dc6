"""Plans of a switch: text, data, az script, saved document. Pure.

Never reads or writes a file.
"""
