"""Plans of a switch as text, data, az script and saved document. Pure."""
