"""The lab: a local Azure Resource Manager endpoint that behaves as Azure does.

Nothing in here imports the controller, and the controller imports nothing of it:
they meet at an HTTPS endpoint.
"""
