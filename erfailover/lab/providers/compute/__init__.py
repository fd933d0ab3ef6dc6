"""Resource types of Microsoft.Compute.

Never runs a machine: that is ``lab.machines``.
"""
