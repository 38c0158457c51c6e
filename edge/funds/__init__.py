"""Funds: where an organization's money lies, each in one currency for good."""
