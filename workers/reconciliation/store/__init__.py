"""Reconciliation's SQL: what it reads of others, what it keeps."""
