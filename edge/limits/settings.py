"""The limits that an operator sets. Those not set hold in a live environment only.

Whoever tests, or brings in old gifts, does so from one address as fast as it goes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from edge.forwarding import KINDS, Kind
from edge.limits.addresses import Network, read_networks
from edge.limits.rules import HOUR_S, MINUTE_S, Limits, Rule, read_domains

_DOMAINS: Final = Path(__file__).with_name("disposable_domains.txt")
_MOST: Final = 1_000_000


def load(environment: Mapping[str, str]) -> Limits:
    """The limits in these variables; ValueError, which names one, when it is wrong."""
    is_live = environment.get("AMPLY_ENVIRONMENT") == "live"

    def rule(name: str, variable: str, usual: int, window_s: int) -> Rule:
        text = environment.get(variable, "").strip() or str(usual if is_live else 0)
        if not (text.isascii() and text.isdigit() and int(text) <= _MOST):
            raise ValueError(f"{variable} must be a number from 0 (no limit) to {_MOST}.")
        return Rule(name, int(text), window_s)

    is_direct = environment.get("AMPLY_TRUSTED_PROXIES", "").strip() == "direct"
    gifts = "AMPLY_LIMIT_GIFTS_PER"
    return Limits(
        per_address=rule("address", f"{gifts}_ADDRESS_PER_MINUTE", 5, MINUTE_S),
        disposable_mail=rule(
            "disposable_mail", "AMPLY_LIMIT_DISPOSABLE_MAILS_PER_HOUR", 50, HOUR_S
        ),
        per_organization=rule("organization", f"{gifts}_ORGANIZATION_PER_MINUTE", 300, MINUTE_S),
        overall=rule("overall", f"{gifts}_MINUTE", 1000, MINUTE_S),
        trusted_proxies=() if is_direct else _networks(environment, "AMPLY_TRUSTED_PROXIES"),
        is_direct=is_direct,
        forwarded=_forwarded(environment),
        exempt=_networks(environment, "AMPLY_LIMIT_EXEMPT_ADDRESSES"),
        denied=_networks(environment, "AMPLY_DENIED_ADDRESSES"),
        disposable_domains=_domains(environment),
    )


def _forwarded(environment: Mapping[str, str]) -> Kind:
    named = environment.get("AMPLY_FORWARDED", "").strip().lower() or "x-forwarded"
    for kind in KINDS:
        if named == kind:
            return kind
    raise ValueError("AMPLY_FORWARDED must be `x-forwarded` or `forwarded`.")


def _networks(environment: Mapping[str, str], name: str) -> tuple[Network, ...]:
    try:
        return read_networks(environment.get(name, ""))
    except ValueError:
        raise ValueError(f"{name} must hold addresses or networks, with commas between.") from None


def _domains(environment: Mapping[str, str]) -> frozenset[str]:
    name = "AMPLY_DISPOSABLE_DOMAINS"
    paths = [_DOMAINS, *([Path(given)] if (given := environment.get(name, "").strip()) else [])]
    try:
        return frozenset[str]().union(*(read_domains(path.read_text("utf-8")) for path in paths))
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"{name} names {paths[-1]}, which cannot be read.") from None
