"""Routes: BGP, ExpressRoute, route servers, security groups, effective routes.

Never changes a resource: tables are computed from the world.
"""
