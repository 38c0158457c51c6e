"""Retention: forgets persons who ask for it, and deletes what nothing needs any more."""
