"""Who can sign in at the demonstration, as whom, and what the provider is told of them."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any, Final

WEB_CLIENT: Final = "amply"
#: A program of a person's own; it asks for tokens of the scope `amply`.
APP_CLIENT: Final = "amply-app"
APP_REDIRECT: Final = "http://127.0.0.1:8421/callback"
#: What the provider calls a sign-in with a second factor.
STEP_UP_ACR: Final = "mfa"
_SITE: Final = "amply.localhost"


@dataclass(frozen=True, slots=True)
class Role:
    """A person of the demonstration. `relation` is theirs in SpiceDB, with the demonstration's
    organization or, for staff, with the platform."""

    username: str
    name: str
    relation: str
    is_staff: bool = False

    @property
    def subject(self) -> str:
        """The provider's id of the person: it must stay the same from start to start."""
        return f"demonstration-{self.username}"


ROLES: Final = (
    Role("owner", "Olga Owner", "owner"),
    Role("finance", "Farid Finance", "finance"),
    Role("viewer", "Vera Viewer", "viewer"),
    Role("auditor", "Aino Auditor", "auditor"),
    Role("staff", "Sten Staff", "operations", is_staff=True),
)


def password_of(key: bytes, username: str) -> str:
    """Ten letters and digits, the same at each start of one deployment."""
    return hmac.digest(key, f"password {username}".encode(), hashlib.sha256).hex()[:10]


def code_of(key: bytes, username: str) -> str:
    """The six digits that stand for a second factor."""
    digest = hmac.digest(key, f"code {username}".encode(), hashlib.sha256)
    return f"{int.from_bytes(digest[:8], 'big') % 1_000_000:06d}"


def client_secret(key: bytes) -> str:
    """The web client's secret."""
    return hmac.digest(key, b"client", hashlib.sha256).hex()


def provider_settings(key: bytes, *, port: int, url: str) -> dict[str, Any]:
    """The settings of `provider.mjs`. `url` is the edge's base address, and so the audience."""
    return {
        "issuer": issuer_of(port),
        "port": port,
        "audience": url,
        "cookie_key": hmac.digest(key, b"cookies", hashlib.sha256).hex(),
        "web": {
            "client_id": WEB_CLIENT,
            "client_secret": client_secret(key),
            "redirect_uri": f"{url}/v1/auth/callback",
            "after_logout": f"{url}/",
        },
        "app": {"client_id": APP_CLIENT, "redirect_uri": APP_REDIRECT},
        "people": [
            {
                "username": role.username,
                "subject": role.subject,
                "name": role.name,
                "email": f"{role.username}@{_SITE}",
                "password": password_of(key, role.username),
                "code": code_of(key, role.username),
            }
            for role in ROLES
        ],
    }


def issuer_of(port: int) -> str:
    """The provider's name, which is its address. Another host name than the edge's, so that the
    two do not share cookies, which know no ports."""
    return f"http://localhost:{port}"


def edge_settings(key: bytes, port: int) -> dict[str, str]:
    """What the edge is told."""
    return {
        "AMPLY_OIDC_ISSUER": issuer_of(port),
        "AMPLY_OIDC_CLIENT_ID": WEB_CLIENT,
        "AMPLY_OIDC_CLIENT_SECRET": client_secret(key),
        "AMPLY_OIDC_STEP_UP_ACR": STEP_UP_ACR,
    }
