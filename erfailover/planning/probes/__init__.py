"""What the answers of probes mean, and what outage they make. Pure."""
