"""What there should be, what there is, and what to create, change or delete. Pure."""
