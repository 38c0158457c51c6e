"""The sandbox in this process, its every answer held against Stripe's published schemas."""

from typing import Any
from urllib.parse import urlencode

import orjson

from deploy.sandbox.scenarios.reaching import RefusedError
from tests.deploy.sandbox.harness import check_body
from tests.histories.sandbox import HOST, KEY, Sandbox

LISTS = ("payment_intents", "charges", "refunds", "disputes", "payouts", "balance_transactions")
OF_ACCOUNT = ("", "/capabilities", "/external_accounts")
State = tuple[str, str]


class Checked:
    """The sandbox of this process; whatever it answers is checked, its states are noted."""

    def __init__(self) -> None:
        self.sandbox = Sandbox()
        self.seen: set[State] = set()

    async def ask(
        self, method: str, path: str, account: str | None = None, /, **parameters: Any
    ) -> Any:
        headers = {"Authorization": f"Bearer {KEY}"} | (
            {"Stripe-Account": account} if account else {}
        )
        body, url = b"", HOST + path
        if path.startswith("/_sandbox/"):
            body = orjson.dumps(parameters)
        elif method == "GET":
            url += f"?{urlencode(parameters)}"
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(parameters).encode()
        answer = await self.sandbox.exchange(method, url, headers, body)
        assert answer is not None
        said = orjson.loads(answer[0])
        if path.startswith("/v1/"):
            check_body(said)
            self._note(said)
        if answer[1] >= 400:
            raise RefusedError(f"{method} {path}", said)
        return said

    def _note(self, value: Any) -> None:
        if isinstance(value, list):
            for each in value:
                self._note(each)
        if not isinstance(value, dict):
            return
        kind = value.get("object")
        if isinstance(kind, str):
            for name in ("status", "type") if kind == "balance_transaction" else ("status",):
                if isinstance(value.get(name), str):
                    self.seen.add((kind, value[name]))
        for each in value.values():
            self._note(each)

    async def control(self, path: str, **given: Any) -> Any:
        return await self.ask("POST", f"/_sandbox/{path}", **given)

    async def account(self, country: str = "DE", **more: str) -> str:
        made = await self.ask(
            "POST",
            "/v1/accounts",
            **{
                "country": country,
                "capabilities[card_payments][requested]": "true",
                "capabilities[sepa_debit_payments][requested]": "true",
                "settings[payouts][schedule][interval]": "manual",
                **more,
            },
        )
        await self.control(f"accounts/{made['id']}/onboard")
        return str(made["id"])

    async def pay(self, account: str, method: str = "pm_card_visa", **more: Any) -> Any:
        """A confirmed intent of 50.00, or Stripe's error when it was declined."""
        parameters = {
            "amount": 5000,
            "currency": "eur",
            "payment_method": method,
            "confirm": "true",
            "automatic_payment_methods[enabled]": "true",
            "automatic_payment_methods[allow_redirects]": "never",
        }
        try:
            return await self.ask("POST", "/v1/payment_intents", account, **parameters | more)
        except RefusedError as error:
            return error.error

    async def look(self, account: str) -> None:
        """Have all that the account has be checked, each thing once more on its own."""
        for kind in LISTS:
            for each in (await self.ask("GET", f"/v1/{kind}", account, limit=100))["data"]:
                await self.ask("GET", f"/v1/{kind}/{each['id']}", account)
        for kind in OF_ACCOUNT:
            await self.ask("GET", f"/v1/accounts/{account}{kind}")
        await self.ask("GET", "/v1/balance", account)
        for owner in (account, None):
            for event in (await self.ask("GET", "/v1/events", owner, limit=100))["data"]:
                self._note(event["data"]["object"])
        for fee in (await self.ask("GET", "/v1/application_fees", limit=100))["data"]:
            await self.ask("GET", f"/v1/application_fees/{fee['id']}/refunds")
        await self.ask("GET", "/v1/balance_transactions", limit=100)
