"""The topology in characters. Pure."""
