"""Receipts: proofs for donors that a gift is in the ledger."""
