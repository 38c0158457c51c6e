"""Signing in with a browser, and the sessions that come of it."""
