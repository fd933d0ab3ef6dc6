"""All output: text, JSON, SVG and HTML, made from values. Pure.

Never reads Azure, a clock or the terminal, and never decides anything.
"""
