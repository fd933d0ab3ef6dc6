"""The next hops of the spokes' route tables: what a switch writes, when, and whether it may. Pure.

Never removes a route that a switch has not added, and never decides what an appliance lets pass.
"""
