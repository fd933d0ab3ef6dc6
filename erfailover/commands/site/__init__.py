"""``erfailover init`` and ``export``: site files written, and a site as code.

Never writes to Azure.
"""
