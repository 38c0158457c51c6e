"""Payouts: money that left the organization's Stripe balance for its bank."""
