"""Stripe says, we say: the daily report of an organization's accounts, for its finance people."""
