"""Makers of requests, and a log in memory that grows by the ledger's own decisions."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ledger.batch import decide
from ledger.chain import Fund, Head, Known, LogState
from ledger.decision import Decision
from ledger.entry import Composer, DonorSeal, Request
from ledger.visibility import Label, label_of

ORIGIN = "ledger.example.org/log/0"
NOON = datetime(2027, 3, 1, 12, 0, 0, tzinfo=UTC)
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def name(prefix: str, of: object) -> str:
    """The same id for the same thing, in every run."""
    number = int.from_bytes(hashlib.sha256(f"{prefix}/{of}".encode()).digest())
    digits = "".join(ALPHABET[number >> 5 * place & 31] for place in range(25))
    return f"{prefix}_0{digits}"


def postings(amount_minor: int, fund: str, currency: str = "EUR") -> list[dict[str, str]]:
    common = {"currency": currency, "fund": fund}
    return [
        {"account": "Assets:Stripe", "amount": str(amount_minor), **common},
        {"account": "Income:Donations", "amount": str(-amount_minor), **common},
    ]


def seal(of: object) -> DonorSeal:
    return DonorSeal(name("prof", of), hashlib.sha256(str(of).encode()).hexdigest(), "QUJD")


def genesis(organization: str, **changes: Any) -> Request:
    request = Request(
        id=name("ent", f"genesis of {organization}"),
        organization=organization,
        kind="genesis",
        visibility="public_full",
        public_after=None,
        ref=None,
        subject=None,
        postings=None,
        details={"name": "Hope e.V.", "origin": ORIGIN},
        donor=None,
    )
    return request._replace(**changes)


def donation(organization: str, of: object, amount_minor: int = 2500, **changes: Any) -> Request:
    request = Request(
        id=name("ent", of),
        organization=organization,
        kind="donation",
        visibility="public_full",
        public_after=None,
        ref=None,
        subject=name("don", of),
        postings=postings(amount_minor, name("fund", organization)),
        details={"donation": name("don", of)},
        donor=seal(of),
    )
    return request._replace(**changes)


def refund(organization: str, of: object, ref: str, **changes: Any) -> Request:
    values: dict[str, Any] = {"kind": "refund", "ref": ref, "donor": None}
    values["postings"] = postings(-2500, name("fund", organization))
    return donation(organization, of, **values | changes)


def visibility_change(organization: str, of: object, ref: str, **details: Any) -> Request:
    return genesis(
        organization, id=name("ent", of), kind="visibility_change", ref=ref, details=details
    )


@dataclass
class Book:
    """A log that keeps everything in memory."""

    state: LogState = field(default_factory=lambda: LogState(0, ORIGIN))
    chains: dict[str, Head] = field(default_factory=dict)
    funds: dict[str, Fund] = field(default_factory=dict)
    recorded: dict[str, str] = field(default_factory=dict)
    seals: set[str] = field(default_factory=set)
    labels: dict[str, Label] = field(default_factory=dict)
    entries: list[bytes] = field(default_factory=list)

    def decide(
        self, requests: Iterable[Request], clock: datetime = NOON, *, by_ledger: bool = False
    ) -> Decision:
        """Decide and keep what was decided."""
        known = Known(self.chains, self.funds, self.recorded, self.seals, self.labels)
        composer = Composer(ORIGIN)
        decision = decide(requests, self.state, known, clock, composer, by_ledger=by_ledger)
        self.state = decision.state
        self.chains |= decision.chains
        self.funds |= decision.funds
        for entry in decision.entries:
            self.recorded[entry.request.id] = entry.request.organization
            if entry.request.donor:
                self.seals.add(entry.request.donor.seal)
            self.labels[entry.request.id] = label_of(entry.composed.data)
            self.entries.append(entry.composed.data)
        self.labels |= {entry: label for entry, (_, label) in decision.labels.items()}
        return decision
