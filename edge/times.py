"""Times as the API spells them."""

from datetime import UTC, datetime


def spell_time(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds, the form of the ledger's entries."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds_between(start: str, end: str) -> float:
    """The seconds from one spelled time to another."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
