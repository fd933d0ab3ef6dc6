"""Virtual machines: their kernel's routes and filters, and whether a packet arrives."""
