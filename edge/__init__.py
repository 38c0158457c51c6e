"""Who may ask: the HTTP API, its keys and permissions."""
