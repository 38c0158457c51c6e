"""Who may ask: the HTTP edge."""
