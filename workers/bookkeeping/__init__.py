"""Bookkeeping: the single writer of a log, and the announcer of what it wrote."""
