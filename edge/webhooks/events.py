"""Reading a verified event: what it is about, and whether it is for this platform.

An organization may use its Stripe account for other shops, and live endpoints get test events too:
what is not for us is kept with its reason and answered 2xx, or Stripe would send it for days.
"""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

#: Which of our two endpoints at Stripe: for our own account, or for those connected to it.
Endpoint = Literal["account", "connect"]
Disposition = Literal[
    "passed_on",
    "unknown_type",
    "wrong_mode",
    "no_account",
    "unknown_account",
    "wrong_endpoint",
    "malformed",
]

#: The types that somebody here handles, and what the id of their object looks like.
ACCEPTED: Final[dict[str, str]] = {
    "payment_intent.succeeded": "pi",
    "payment_intent.processing": "pi",
    "payment_intent.payment_failed": "pi",
    "payment_intent.requires_action": "pi",
    "payment_intent.canceled": "pi",
    "charge.updated": "ch|py",
    "charge.refunded": "ch|py",
    "charge.refund.updated": "re|pyr",
    "refund.created": "re|pyr",
    "refund.updated": "re|pyr",
    "refund.failed": "re|pyr",
    "charge.dispute.created": "dp|du",
    "charge.dispute.updated": "dp|du",
    "charge.dispute.closed": "dp|du",
    "charge.dispute.funds_withdrawn": "dp|du",
    "charge.dispute.funds_reinstated": "dp|du",
    "payout.created": "po",
    "payout.updated": "po",
    "payout.paid": "po",
    "payout.failed": "po",
    "payout.canceled": "po",
    "payout.reconciliation_completed": "po",
}
#: Those about the connected account itself. Their object is an application, a capability or a bank
#: account: what somebody here looks at is the account.
OF_ACCOUNT: Final = frozenset(
    {
        "account.application.authorized",
        "account.application.deauthorized",
        "account.external_account.created",
        "account.external_account.deleted",
        "account.external_account.updated",
        "account.updated",
        "capability.updated",
    }
)

#: What our endpoint for connected accounts is registered for.
TYPES: Final = frozenset(ACCEPTED) | OF_ACCOUNT

_EVENT: Final = re.compile(r"evt_[A-Za-z0-9_]{1,251}")
_TYPE: Final = re.compile(r"[a-z0-9_.]{1,100}")
_ACCOUNT: Final = re.compile(r"acct_[A-Za-z0-9_]{1,250}")
_PAYMENT: Final = re.compile(r"pi_[A-Za-z0-9_]{1,250}")
_VERSION: Final = re.compile(r"[0-9A-Za-z._-]{1,40}")
_CREATED_S_MAX: Final = 253_402_300_799  # the end of the year 9999


@dataclass(frozen=True, slots=True)
class Event:
    """An event by its attributes; only `passed_on` ones are known to have them all.

    `payment_intent` is the payment that the event's object is, or belongs to, if it says so.
    """

    id: str
    type: str
    account: str | None
    object: str
    payment_intent: str | None
    created: datetime
    livemode: bool
    api_version: str
    disposition: Disposition


def read(body: bytes, *, is_live: bool, endpoint: Endpoint = "connect") -> Event:
    """The event in a webhook's body. Never raises: whatever it is, it is kept.

    What happens on our own account is nobody's affair here: only connected accounts' is passed on.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return _malformed(body)
    event = _event(value) if isinstance(value, dict) else None
    if event is None:
        return _malformed(body)
    if event.livemode != is_live:
        return replace(event, disposition="wrong_mode")
    if event.account is not None and endpoint == "account":
        return replace(event, disposition="wrong_endpoint")
    if event.type not in TYPES:
        return replace(event, disposition="unknown_type")
    if event.account is None:
        return replace(event, disposition="no_account")
    if event.type in OF_ACCOUNT:
        return replace(event, object=event.account)
    if not re.fullmatch(f"({ACCEPTED[event.type]})_[A-Za-z0-9_]{{1,250}}", event.object):
        return _malformed(body)
    return event


def _event(value: dict[str, Any]) -> Event | None:
    identifier, kind, account = value.get("id"), value.get("type"), value.get("account")
    created, livemode = value.get("created"), value.get("livemode")
    version = value.get("api_version")
    if not (_matches(_EVENT, identifier) and _matches(_TYPE, kind) and _matches(_VERSION, version)):
        return None
    if account is not None and not _matches(_ACCOUNT, account):
        return None
    if type(created) is not int or not 0 <= created <= _CREATED_S_MAX or type(livemode) is not bool:
        return None
    data = value.get("data")
    about = data.get("object") if isinstance(data, dict) else None
    about_id = about.get("id") if isinstance(about, dict) else None
    return Event(
        id=str(identifier),
        type=str(kind),
        account=account,
        object=about_id if isinstance(about_id, str) else "",
        payment_intent=_payment_of(about) if isinstance(about, dict) else None,
        created=datetime.fromtimestamp(created, UTC),
        livemode=livemode,
        api_version=str(version),
        disposition="passed_on",
    )


def _payment_of(about: dict[str, Any]) -> str | None:
    found = about.get("payment_intent")
    if isinstance(found, dict):  # An expanded object.
        found = found.get("id")
    named = (about.get("id"), found)
    return next((str(one) for one in named if _matches(_PAYMENT, one)), None)


def _matches(form: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _malformed(body: bytes) -> Event:
    # Named by its bytes, so that a repetition is the same event.
    return Event(
        id=f"malformed_{hashlib.sha256(body).hexdigest()}",
        type="malformed",
        account=None,
        object="",
        payment_intent=None,
        created=datetime.fromtimestamp(0, UTC),
        livemode=False,
        api_version="",
        disposition="malformed",
    )
