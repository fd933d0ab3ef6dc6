"""One ARM request: admission, reads, writes, actions, deployments."""
