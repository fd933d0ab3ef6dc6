"""Replays what recordings of real Azure traffic say against the lab."""
