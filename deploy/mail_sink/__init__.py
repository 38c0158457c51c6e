"""A mail server for demonstrations that delivers to a folder instead of to people."""
