"""The status of a site as text and data, and what has changed in it. Pure."""
