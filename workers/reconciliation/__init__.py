"""Reconciliation: compares Stripe with the ledger, shows what differs, asks for healing looks."""
