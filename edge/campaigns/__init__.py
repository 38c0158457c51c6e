"""Campaigns: what donors are asked by, and what came of it."""
