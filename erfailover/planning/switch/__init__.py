"""The steps of a switch, their order, how long they take, what they came to. Pure."""
