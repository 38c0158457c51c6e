"""Notifications: one mail to the donor for each gift in the ledger."""
