"""The lab: a local Azure Resource Manager endpoint that behaves as Azure does.

Never imports the controller, and never makes up an answer: what it does not model is a 501.
"""
