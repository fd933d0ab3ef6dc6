"""Resource types, each in a module behind a registry, and what they have in common."""
