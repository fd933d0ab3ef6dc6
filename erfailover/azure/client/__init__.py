"""How Azure is called: credential, clients, rate limits, retries, polling, errors, request log.

Never interprets a resource.
"""
