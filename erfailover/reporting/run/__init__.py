"""What a run came to: text, data, HTML page, timeline. Pure."""
