"""Donors as the edge knows them: by which keyed hash a person is found again, and forgotten."""
