"""Whether a switch could work, before it must: checks, their verdicts, their remedies. Pure."""
