"""How often who may ask for what: the table of rates, and what operators change of it. Pure.

Whoever asks is counted as a key, as a person, or by address as a visitor. What is counted is the
rate of the operation: each operation has one (`rate_of`), whose number depends on who asks.
Source: Amply's API documentation, "Rate limits"; what it leaves open is chosen here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from edge.limits.rules import HOUR_S, MINUTE_S, Rule

#: `initiation` begins a gift, `ledger` is the public one, `log` its static files and proofs,
#: `sign_in` is whatever tries a secret, `widget` what others' pages load; `exempt` is not counted.
Rate = Literal[
    "read", "write", "initiation", "ledger", "log", "export", "sign_in", "widget", "exempt"
]
Kind = Literal["key", "person", "visitor"]

#: By kind of who asks and rate; a rate that a kind does not name is that of `read` or `write`.
TABLE: Final[Mapping[str, tuple[int, int]]] = {
    "key.read": (500, MINUTE_S),
    "key.write": (100, MINUTE_S),
    # Gifts have limits of their own for each organization, address and all together.
    "key.initiation": (0, MINUTE_S),
    "key.export": (60, HOUR_S),
    "person.read": (200, MINUTE_S),
    "person.write": (60, MINUTE_S),
    "person.initiation": (20, MINUTE_S),
    "person.export": (30, HOUR_S),
    "person.sign_in": (20, MINUTE_S),
    "visitor.read": (60, MINUTE_S),
    "visitor.write": (20, MINUTE_S),
    "visitor.initiation": (5, MINUTE_S),
    "visitor.ledger": (30, MINUTE_S),
    "visitor.log": (1200, MINUTE_S),
    "visitor.export": (3, HOUR_S),
    "visitor.sign_in": (20, MINUTE_S),
    "visitor.widget": (300, MINUTE_S),
}
#: What an organization may have more or less of than others: rates of its keys.
ADJUSTABLE: Final = tuple(name for name in TABLE if name.startswith("key."))
MOST: Final = 1_000_000


def _usual() -> dict[str, Rule]:
    return {name: Rule(name, most, window_s) for name, (most, window_s) in TABLE.items()}


@dataclass(frozen=True, slots=True)
class Policies:
    """The rules that hold here, by name; none: nothing is counted."""

    rules: Mapping[str, Rule] = field(default_factory=dict)

    def rule(
        self, kind: Kind, rate: Rate, adjusted: Mapping[str, int] | None = None
    ) -> Rule | None:
        """What a request is counted by, None: by nothing. `adjusted` is an organization's own."""
        if rate == "exempt":
            return None
        name = f"{kind}.{rate}"
        if name not in TABLE:
            name = f"{kind}.write" if rate in ("initiation", "sign_in") else f"{kind}.read"
        rule = self.rules.get(name)
        if rule is None:
            return None
        most = adjusted.get(name, rule.most) if adjusted else rule.most
        if most == 0:
            return None
        return rule if most == rule.most else Rule(name, most, rule.window_s)


def rate_of(method: str, path: str) -> Rate:
    """The rate of a route that states none itself."""
    if path.startswith(("/v1/webhooks/stripe", "/livez", "/readyz", "/metrics", "/version")):
        return "exempt"
    if path.startswith("/v1/auth/"):
        return "sign_in"
    if path.startswith(("/log/", "/v1/public/log/")):
        return "log"
    if "/ledger/export" in path or path.endswith(".csv"):
        return "export"
    if path.startswith("/v1/public/") and "/ledger" in path:
        return "ledger"
    if method == "POST" and (path == "/v1/donations" or path.endswith("/attempts")):
        return "initiation"
    return "read" if method in ("GET", "HEAD") else "write"


def read(text: str, *, by_default: bool) -> Policies:
    """The policies in words: `on` or `off`, then `key.read=1000` and the like.

    `by_default`: whether they hold without either word. ValueError names what is wrong.
    """
    words = text.replace(",", " ").split()
    is_on = "on" in words or (by_default and "off" not in words)
    rules = _usual() if is_on else {}
    for word in words:
        if word in ("on", "off"):
            continue
        name, _, number = word.partition("=")
        if name not in TABLE or not (number.isascii() and number.isdigit()) or int(number) > MOST:
            raise ValueError(f"{word} is no rate: give one like key.read=500, up to {MOST}.")
        rules[name] = Rule(name, int(number), TABLE[name][1])
    return Policies(rules)
