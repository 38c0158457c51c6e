"""Collectors: shops, points of sale and fundraisers that take gifts for organizations."""
