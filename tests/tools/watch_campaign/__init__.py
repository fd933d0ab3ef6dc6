"""Three replicas of ``erfailover watch`` under faults, while the primary path fails."""
