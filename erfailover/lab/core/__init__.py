"""What all of the lab stands on: world, ids, resource types, operations, clock, protocol."""
