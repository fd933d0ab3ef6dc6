"""erfailover: move Azure spokes off a failed ExpressRoute hub onto an IPsec hub, and back."""

__version__ = "0.1.0"
