"""The agent: the process inside the namespaces that builds them and runs their daemons.

Never reads a resource of Azure's: it gets what should exist as a layout (``linux.layout``).
"""
