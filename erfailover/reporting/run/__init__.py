"""The result of a run: text, data, HTML page, timeline. Pure.

Never fetches anything: the page is self-contained.
"""
