"""The topology as a sheet of cards in SVG. Pure."""
