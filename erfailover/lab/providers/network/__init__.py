"""Resource types of Microsoft.Network, each in a module."""
