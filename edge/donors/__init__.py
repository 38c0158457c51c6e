"""Donors as the edge knows them: found again by a keyed hash, shown, sealed and forgotten."""
