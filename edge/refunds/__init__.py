"""Giving gifts back, and showing what came after them: refunds and disputes."""
