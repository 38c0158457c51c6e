"""Organizations, funds and API keys, as requests need them."""
