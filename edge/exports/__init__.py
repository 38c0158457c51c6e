"""Exports: copies of an organization's ledger, for anyone and for those who may see more."""
