"""One ARM request: admission, reads, writes, actions, deployments, injected faults.

Never opens a connection, and never computes a route.
"""
