"""From the lab's parsed resources to what should exist on the Linux data plane. Pure."""
