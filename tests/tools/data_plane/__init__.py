"""What the Linux data plane costs: the time until it carries packets, memory, namespaces."""
