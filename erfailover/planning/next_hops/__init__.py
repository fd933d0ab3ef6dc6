"""The next hops of the spokes' route tables: what a switch writes, and whether it may. Pure.

A spoke behind a firewall follows its route table, not the gateway that its peering uses.
"""
