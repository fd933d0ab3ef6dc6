"""Access: identities, tokens, roles, policies, locks.

Never changes a resource.
"""
