"""Fees: what of a captured payment the processor kept, as the postings of a donation entry."""
