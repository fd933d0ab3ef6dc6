"""What the rest of the lab builds on: world, ids, resource types, operations, clock.

Never imports another package of the lab.
"""
