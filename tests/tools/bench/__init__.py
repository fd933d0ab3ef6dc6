"""How fast a switch is, against what a user would do instead and against what Azure allows."""
