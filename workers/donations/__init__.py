"""Donations: the state of every gift, in one place, folded from what everybody tells."""
