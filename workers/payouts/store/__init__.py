"""Payouts in PostgreSQL: what was seen and booked, how it was split, what the own job does."""
