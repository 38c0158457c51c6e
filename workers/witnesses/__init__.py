"""Witnesses: asks independent parties to cosign what the log published."""
