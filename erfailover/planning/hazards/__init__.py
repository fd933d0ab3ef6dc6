"""What would keep traffic on the path that is left, or bring it back another way. Pure."""
