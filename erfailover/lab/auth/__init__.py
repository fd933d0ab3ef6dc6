"""Who may do what: identities, tokens, roles, policies, locks."""
