"""The topology as observed, with marks: what all pictures are drawn from. Pure."""
