"""Who may do what: roles, API keys, sessions, throttling."""
