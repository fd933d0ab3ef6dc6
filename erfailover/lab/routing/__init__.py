"""How routes come about: BGP, ExpressRoute, route servers, effective routes."""
