"""Audit: gives who did what its place in each organization's chain."""
