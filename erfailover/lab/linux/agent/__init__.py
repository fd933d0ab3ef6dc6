"""The agent: the process inside the namespaces that builds them and runs their daemons.

Never reads a resource of Azure's: it is told what should exist (``linux.layout``).
"""
