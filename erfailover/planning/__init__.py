"""Pure decisions: what to write, in which order, and whether that is safe."""
