"""``erfailover status`` and ``diagram``: one reading of a site, shown.

Never writes to Azure.
"""
