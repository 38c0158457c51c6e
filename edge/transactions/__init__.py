"""Transactions: what entries mean for each fund, in people's words."""
