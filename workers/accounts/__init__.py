"""Accounts: an organization's connected account at Stripe, from onboarding to its retirement."""
