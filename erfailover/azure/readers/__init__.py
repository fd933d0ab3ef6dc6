"""Reads from Azure, one subject a module; each returns values of the model.

Never writes, and never takes an empty or failed reading for an absence.
"""
