"""Payments: from a promised gift to money on the organization's Stripe account, or a clear no."""
