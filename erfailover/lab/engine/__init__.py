"""The world by the clock: how operations end, faults, throttling, snapshots."""
