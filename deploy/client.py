"""A client of the edge for the command line: donate, wait, fetch a receipt.

A POST is repeated with the same Idempotency-Key and the same bytes until its outcome is known, so
that a lost answer never becomes a second gift.
"""

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import orjson

ATTEMPTS_MAX: Final = 8
_RETRY_DELAY_S: Final = 0.25
_RETRIED: Final = frozenset({409, 429, 502, 503, 504})
#: Conflicts that no repetition ends.
_FINAL: Final = frozenset({"dispute_open", "exceeds_refundable", "gift_not_paid"})


class RefusedByEdgeError(Exception):
    """The edge refused the request; the text is its own."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", ""))
        detail = problem.get("detail") or problem.get("title") or "no reason given"
        super().__init__(f"{status} {self.code}: {detail}")


class OutcomeUnknownError(Exception):
    """The edge gave no answer in time; repeat with the same Idempotency-Key to learn more."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A donation as the edge shows it, and whether it repeats an earlier answer."""

    donation: dict[str, Any]
    replayed: bool


class EdgeClient:
    """`async with EdgeClient(url, api_key) as edge: await edge.donate(...)`."""

    def __init__(self, url: str, api_key: str | None = None, *, connections: int = 64) -> None:
        self._url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._session = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=connections),
            timeout=aiohttp.ClientTimeout(total=60),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def donate(self, body: dict[str, Any], idempotency_key: str) -> Answer:
        """POST a donation; its 202 answer. RefusedByEdgeError on a final no."""
        return Answer(*await self._post("/v1/donations", body, idempotency_key))

    async def refund(
        self, donation: str, body: dict[str, Any], idempotency_key: str
    ) -> dict[str, Any]:
        """POST a refund of a donation; the refund. RefusedByEdgeError on a final no."""
        path = f"/v1/donations/{donation}/refunds"
        content, _ = await self._post(path, body, idempotency_key)
        return content

    async def _post(
        self, path: str, body: dict[str, Any], idempotency_key: str
    ) -> tuple[dict[str, Any], bool]:
        """What a 202 says, and whether it repeats an earlier answer."""
        payload = orjson.dumps(body)
        headers = {"Content-Type": "application/json", "Idempotency-Key": idempotency_key}
        refusal: RefusedByEdgeError | None = None
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                await asyncio.sleep(_RETRY_DELAY_S * 2 ** min(attempt - 1, 4))
            try:
                async with self._session.post(
                    self._url + path, data=payload, headers=headers
                ) as response:
                    content: dict[str, Any] = orjson.loads(await response.read())
                    if response.status == 202:
                        return content, response.headers.get("Idempotent-Replayed") == "true"
                    refusal = RefusedByEdgeError(response.status, content)
                    if response.status not in _RETRIED or refusal.code in _FINAL:
                        raise refusal
            except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError):
                refusal = None
        if refusal is not None:
            raise refusal
        raise OutcomeUnknownError(f"no answer to Idempotency-Key {idempotency_key}")

    async def donation(self, identifier: str, *, wait_s: int = 0) -> dict[str, Any]:
        """The donation's state now, or within `wait_s` seconds once it is settled."""
        return await self._awaited(f"/v1/donations/{identifier}", wait_s)

    async def refunded(self, identifier: str, *, wait_s: int = 0) -> dict[str, Any]:
        """The refund's state now, or within `wait_s` seconds once it is settled."""
        return await self._awaited(f"/v1/refunds/{identifier}", wait_s)

    async def _awaited(self, path: str, wait_s: int) -> dict[str, Any]:
        headers = {"Prefer": f"wait={wait_s}"} if wait_s else {}
        async with self._session.get(self._url + path, headers=headers) as response:
            content: dict[str, Any] = orjson.loads(await response.read())
            if response.status != 200:
                raise RefusedByEdgeError(response.status, content)
            return content

    async def receipt(self, identifier: str, *, timeout_s: float = 30) -> bytes:
        """The `.tlog-proof` receipt, as soon as a signed checkpoint covers the entry."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            async with self._session.get(
                f"{self._url}/v1/donations/{identifier}/receipt", headers={"Prefer": "wait=5"}
            ) as response:
                content = await response.read()
                if response.status == 200:
                    return content
                problem = orjson.loads(content)
            late = asyncio.get_running_loop().time() > deadline
            if problem.get("code") != "not_yet_covered" or late:
                raise RefusedByEdgeError(response.status, problem)
            await asyncio.sleep(_RETRY_DELAY_S)

    async def ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        wait_s: int = 0,
    ) -> dict[str, Any]:
        """One request with a JSON answer; RefusedByEdgeError when that is a problem."""
        headers = {"Prefer": f"wait={wait_s}"} if wait_s else {}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        async with self._session.request(
            method, f"{self._url}{path}", json=body, headers=headers
        ) as response:
            content: dict[str, Any] = orjson.loads(await response.read())
            if response.status >= 400:
                raise RefusedByEdgeError(response.status, content)
            return content

    async def get(self, path: str) -> tuple[int, bytes]:
        """Any other resource: status and body."""
        async with self._session.get(f"{self._url}{path}") as response:
            return response.status, await response.read()
