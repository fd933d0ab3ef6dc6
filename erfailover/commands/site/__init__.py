"""``erfailover init`` and ``export``: site files made, and a site as code."""
