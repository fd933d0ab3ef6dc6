"""Immutable values that all the rest passes on; no behaviour beyond themselves."""
