"""What is counted, how often it may be, and when to come again. Pure.

A window slides in sixths: what was granted in the running sixth and in the six before it is at
most the limit. So no window of its length ever holds more, and each is kept for 7/6 of it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge.forwarding import Kind
from edge.limits.addresses import Network

SLOTS: Final = 6
KEPT: Final = SLOTS + 1
MINUTE_S: Final = 60
HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Rule:
    """`most` hits of one subject in `window_s` seconds; 0: as many as come."""

    name: str
    most: int
    window_s: int

    @property
    def slot_s(self) -> float:
        """Seconds of a sixth."""
        return self.window_s / SLOTS


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of gifts. By address only behind trusted proxies: else it may be anybody's.

    `forwarded` is the kind of field in which proxies speak. `is_direct`: nobody stands before the
    edge, and a connection's address is the client's.
    `exempt` are addresses of organizations' servers, which give for many people.
    """

    per_address: Rule = Rule("address", 0, MINUTE_S)
    disposable_mail: Rule = Rule("disposable_mail", 0, HOUR_S)
    per_organization: Rule = Rule("organization", 0, MINUTE_S)
    overall: Rule = Rule("overall", 0, MINUTE_S)
    trusted_proxies: tuple[Network, ...] = ()
    is_direct: bool = False
    forwarded: Kind = "x-forwarded"
    exempt: tuple[Network, ...] = ()
    denied: tuple[Network, ...] = ()
    disposable_domains: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Hit:
    """One hit of a rule. The subject is personal: only a keyed hash of it is stored."""

    rule: Rule
    subject: str


def hits_of(limits: Limits, client: str | None, organization: str, email: str | None) -> list[Hit]:
    """What a gift is counted as, in order: what is refused by one rule is not counted by the next.

    So whoever is refused alone takes nothing from what all share.
    """
    hits = []
    if client is not None:
        hits.append(Hit(limits.per_address, client))
    if email is not None and is_disposable(email, limits.disposable_domains):
        hits.append(Hit(limits.disposable_mail, ""))
    hits += [Hit(limits.per_organization, organization), Hit(limits.overall, "")]
    return [hit for hit in hits if hit.rule.most]


def is_disposable(email: str, domains: frozenset[str]) -> bool:
    """Whether the address lies in one of the domains, or below one."""
    labels = email.rpartition("@")[2].lower().rstrip(".").split(".")
    return any(".".join(labels[first:]) in domains for first in range(len(labels)))


def read_domains(text: str) -> frozenset[str]:
    """The domains in a list: one a line, `#` begins a comment."""
    lines = (line.partition("#")[0].strip().lower() for line in text.splitlines())
    return frozenset(line.removeprefix("@").rstrip(".") for line in lines if line)


def retry_after_s(rule: Rule, slot: int, granted: Sequence[int], now_s: float) -> int:
    """Seconds until a hit may be granted again: until the oldest one is out of the window.

    `granted` are the hits of the sixth number `slot` and of those before it, newest first.
    """
    oldest = max((age for age, hits in enumerate(granted) if hits), default=0)
    return max(1, math.ceil((slot + KEPT - oldest) * rule.slot_s - now_s))
