"""What the answers of probes mean, and the outage that they show. Pure.

Never asks a probe, and never takes an answer that says nothing for a failure.
"""
