"""API keys of organizations and collectors: made, shown, rotated, revoked."""
