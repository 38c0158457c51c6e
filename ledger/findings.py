"""Differences that a check found, each in one plain sentence; bounded, but all counted."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

#: Findings kept of one kind; one changed entry may make thousands of later ones differ.
KEPT_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference: a code for machines, a sentence for people, where it is."""

    code: str
    message: str
    index: int | None = None
    organization: str | None = None


@dataclass(slots=True)
class Findings:
    """What a check found so far."""

    kept: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(
        self, code: str, message: str, index: int | None = None, organization: str | None = None
    ) -> None:
        """Note a difference."""
        self.counts[code] += 1
        if self.counts[code] <= KEPT_MAX:
            self.kept.append(Finding(code, message, index, organization))

    @property
    def total(self) -> int:
        """How many differences there are, kept or not."""
        return self.counts.total()
