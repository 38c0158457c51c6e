"""The settings of the provider of identities. None set: nobody signs in, keys work as ever."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from edge.tokens.http import is_safe
from edge.tokens.models import ProviderSettings

_ISSUER: Final = "AMPLY_OIDC_ISSUER"
_CLIENT: Final = "AMPLY_OIDC_CLIENT_ID"
_BY_VALUE: Final = "AMPLY_OIDC_CLIENT_SECRET"
_BY_FILE: Final = "AMPLY_OIDC_CLIENT_SECRET_FILE"
_AUDIENCE: Final = "AMPLY_OIDC_AUDIENCE"
_STEP_UP: Final = "AMPLY_OIDC_STEP_UP_ACR"
NAMES: Final = (_ISSUER, _CLIENT, _BY_VALUE, _BY_FILE, _AUDIENCE, _STEP_UP)
_STEP_UP_DEFAULT: Final = "mfa"


def load(
    environment: Mapping[str, str], *, url: str, allows_plain_http: bool
) -> ProviderSettings | None:
    """The provider, or None; ValueError with one sentence when a setting is wrong.

    `url` is our own base address: access tokens name it as their audience unless told otherwise.
    """
    given = {name: environment.get(name, "").strip() for name in NAMES}
    if not given[_ISSUER]:
        if others := sorted(name for name, value in given.items() if value):
            raise ValueError(f"{others[0]} is set without {_ISSUER}, the provider's address.")
        return None
    if not is_safe(given[_ISSUER], allows_plain_http=allows_plain_http) or "?" in given[_ISSUER]:
        raise ValueError(f"{_ISSUER} must be an https address, exactly as the provider spells it.")
    if not is_safe(url, allows_plain_http=allows_plain_http):
        raise ValueError("AMPLY_URL must be an https address where people sign in.")
    if not given[_CLIENT]:
        raise ValueError(f"{_CLIENT} is not set: give the name that the provider knows us by.")
    step_up = (given[_STEP_UP] or _STEP_UP_DEFAULT).split()
    if any(not word.isprintable() or '"' in word or "\\" in word for word in step_up):
        raise ValueError(f"{_STEP_UP} must be `acr` values, with spaces between them.")
    return ProviderSettings(
        issuer=given[_ISSUER],
        client_id=given[_CLIENT],
        client_secret=_secret(given[_BY_VALUE], given[_BY_FILE]),
        audience=given[_AUDIENCE] or url,
        step_up=tuple(step_up),
        allows_plain_http=allows_plain_http,
    )


def _secret(secret: str, file: str) -> str | None:
    if secret and file:
        raise ValueError(f"Set {_BY_VALUE} or {_BY_FILE}, not both.")
    if not file:
        return secret or None
    try:
        text = Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{_BY_FILE} names {file}, which cannot be read.") from error
    if not text:
        raise ValueError(f"{_BY_FILE} names {file}, which is empty.")
    return text
