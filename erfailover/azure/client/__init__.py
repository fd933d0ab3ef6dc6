"""How Azure is called: credential, clients, pace, retries, polling, errors, the request log."""
