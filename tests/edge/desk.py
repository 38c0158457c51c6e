"""An organization that asks for accounts and links, and the accounts worker played by the test."""

import secrets
from datetime import UTC, datetime
from typing import Any

import orjson

from contracts.accounts import AccountRequested
from ledger import keys
from tests.edge.stand import Answer, Served, Stand, until

SCOPES = ("accounts:read", "accounts:write")
LINK = "https://connect.stripe.test/setup/s/one"


class Desk:
    """An organization's key at the edge, and the accounts worker behind it, played by the test."""

    def __init__(self, stand: Stand, edge: Served) -> None:
        self.stand, self.edge = stand, edge

    async def open(self, **given: Any) -> "Desk":
        given = {"stripe_account": None, "scopes": SCOPES, **given}
        registered = await self.stand.register(slug=f"desk-{secrets.token_hex(4)}", **given)
        self.organization, self.secret = registered.id, registered.key.secret
        [row] = await self.stand.fetch(
            "SELECT slug FROM edge.organizations WHERE id = $1", registered.id
        )
        self.path = f"/v1/organizations/{row['slug']}/stripe-account"
        return self

    async def ask(self, method: str, below: str = "", body: Any = None, **how: Any) -> Answer:
        headers = {
            "Authorization": f"Bearer {how.pop('secret', self.secret)}",
            "Idempotency-Key": how.pop("key", None) or secrets.token_hex(8),
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        if wait_s := how.pop("wait_s", 0):
            headers["Prefer"] = f"wait={wait_s}"
        data = None if body is None else orjson.dumps(body)
        return await self.edge.ask(method, self.path + below, data=data, headers=headers)

    async def asked(self) -> list[AccountRequested]:
        rows = await self.stand.messages(self.organization, "accounts.requested.v1")
        return [AccountRequested.model_validate_json(row["value"]) for row in rows]

    async def next_asked(self, count: int) -> AccountRequested:
        async def there() -> bool:
            return len(await self.asked()) >= count

        await until(there, f"the edge asked {count} times")
        return (await self.asked())[count - 1]

    async def answer(self, request: str, **columns: Any) -> None:
        """What the accounts worker does with a request."""
        values = {"outcome": "done", "code": None, "account": "acct_1", "url": None} | columns
        sealed, expires_at = None, None
        if values["url"] is not None:
            key = keys.derive(self.stand.settings.master_key, "account-link")
            sealed = keys.encrypt(key, values["url"].encode(), request.encode())
            expires_at = datetime(2027, 1, 1, tzinfo=UTC)
        await self.stand.fetch(
            "INSERT INTO accounts.requests"
            " (request, organization, action, outcome, code, account, url, expires_at)"
            " VALUES ($1, $2, 'onboard', $3, $4, $5, $6, $7)",
            *(request, self.organization, values["outcome"], values["code"], values["account"]),
            *(sealed, expires_at),
        )
