"""What one way of saying no consists of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """HTTP status, title, and what a caller can do."""

    status: int
    title: str
    advice: str
