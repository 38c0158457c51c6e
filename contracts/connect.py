"""The token with which Stripe sends an organization's person back to us after a form there.

It stands in the return and refresh addresses of an account link, which Stripe opens in a browser
without a key of ours (Stripe API, "Account Links"): whoever holds it may have another link to the
same form, for two hours.
"""

import base64
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

#: The purpose of its key, derived from the master key.
PURPOSE: Final = "connect-token"
LIFETIME: Final = timedelta(hours=2)
LinkAction = Literal["onboard", "update"]

_TOKEN: Final = re.compile(
    r"(onboard|update)\.(org_[0-7][0-9a-hjkmnp-tv-z]{25})\.([0-9]{10})\.([A-Za-z0-9_-]{43})"
)


@dataclass(frozen=True, slots=True)
class ConnectToken:
    """What a link was for."""

    action: LinkAction
    organization: str
    expires_at: datetime


def spell_token(key: bytes, action: LinkAction, organization: str, now: datetime) -> str:
    """The token, safe in an address: HMAC-SHA256 over what it says."""
    said = f"{action}.{organization}.{int((now + LIFETIME).timestamp()):010}"
    return f"{said}.{_sign(key, said)}"


def read_token(key: bytes, text: str) -> ConnectToken | None:
    """What the token says, expired or not; None when it is not one of ours."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        return None
    said, _, signature = text.rpartition(".")
    if not hmac.compare_digest(signature, _sign(key, said)):
        return None
    action: LinkAction = "update" if match[1] == "update" else "onboard"
    return ConnectToken(action, match[2], datetime.fromtimestamp(int(match[3]), UTC))


def _sign(key: bytes, said: str) -> str:
    digest = hmac.digest(key, b"connect\n" + said.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
