"""A network that is there already, as a site file. Pure."""
