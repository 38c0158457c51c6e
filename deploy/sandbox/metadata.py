"""Metadata as an update leaves it."""


def merged(current: dict[str, str], change: dict[str, str] | None) -> dict[str, str]:
    """Return metadata after an update: empty values remove, an empty change removes all."""
    if change is None:
        return current
    if not change:
        return {}
    return {name: value for name, value in (current | change).items() if value}
