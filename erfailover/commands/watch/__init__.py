"""``erfailover watch``: reads both paths all the time, reports, and switches if it may."""
