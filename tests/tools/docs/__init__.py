"""What the documentation shows is run, and what can be worked out from the code is written by it.

``scripts/update-docs`` does both; the tests say when it should have been.
"""
