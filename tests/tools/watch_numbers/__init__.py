"""Measures ``erfailover watch`` in the lab: outages, requests, a day, and single signals."""
