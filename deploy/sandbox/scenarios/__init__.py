"""Whole stories at the sandbox, and the ledger that must follow from each."""
