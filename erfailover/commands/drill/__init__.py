"""``erfailover drill``: Azure's failover test, or a VPN that stands in for ExpressRoute.

Never moves a spoke.
"""
