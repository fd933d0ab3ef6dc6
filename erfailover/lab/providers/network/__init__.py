"""Resource types of Microsoft.Network, each in a module; small children in their parent's.

Never computes a route: that is ``lab.routing``.
"""
