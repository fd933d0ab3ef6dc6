"""Desired resources, existing ones, and what to create, change or delete. Pure.

Never plans to delete what is not the site's own.
"""
