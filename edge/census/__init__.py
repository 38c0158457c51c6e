"""The census: proof that an organization's chain was counted, for anyone."""
