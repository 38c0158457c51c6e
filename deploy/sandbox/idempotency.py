"""Idempotency keys as Stripe keeps them (docs.stripe.com/api/idempotent_requests).

Per (account, key): same parameters give the stored status and body, 500s and declines too; other
parameters are refused; a request still running makes the second one fail with 409. Keys are
forgotten after 24 hours of business time.
"""

import hashlib
from dataclasses import dataclass

from deploy.sandbox.errors import invalid_parameter, key_in_use, key_reused
from deploy.sandbox.form import Pairs
from deploy.sandbox.store import Store

KEY_LENGTH_MAX = 255
LIFETIME_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Stored:
    """A remembered answer and the request that got it first."""

    status: int
    body: bytes
    request_id: str


class Keys:
    """The keys in use now (in memory) and those answered (in the store)."""

    def __init__(self, store: Store) -> None:
        self._database = store.database
        self._in_use: set[tuple[str, str]] = set()

    def begin(self, account: str, key: str, route: str, pairs: Pairs, now: int) -> Stored | None:
        """Return the answer to replay, or None after marking the key as in use.

        Raises StripeError: 400 for a key that is too long or was used otherwise, 409 if in use.
        """
        if len(key) > KEY_LENGTH_MAX:
            raise invalid_parameter(
                f"The idempotency key is {len(key)} characters long; the limit is "
                f"{KEY_LENGTH_MAX}.",
                None,
            )
        if (account, key) in self._in_use:
            raise key_in_use(key)
        row = self._database.execute(
            "SELECT route, fingerprint, status, body, request_id FROM idempotency "
            "WHERE account = ? AND key = ? AND created > ?",
            (account, key, now - LIFETIME_S),
        ).fetchone()
        if row is None:
            self._in_use.add((account, key))
            return None
        if row[0] != route:
            raise key_reused(key, f"for the same endpoint ('{row[0]}')")
        if row[1] != _fingerprint(pairs):
            raise key_reused(key, "with the same parameters")
        return Stored(row[2], row[3], row[4])

    def store(
        self, account: str, key: str, route: str, pairs: Pairs, answer: Stored, now: int
    ) -> None:
        """Remember an answer; belongs in the savepoint of the work it answers."""
        self._database.execute(
            "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                account,
                key,
                route,
                _fingerprint(pairs),
                answer.status,
                answer.body,
                answer.request_id,
                now,
            ),
        )

    def release(self, account: str, key: str) -> None:
        """The request has been answered, or has failed without an answer to remember."""
        self._in_use.discard((account, key))

    def forget_old(self, now: int) -> None:
        """Drop the records that no request can find any more."""
        self._database.execute("DELETE FROM idempotency WHERE created <= ?", (now - LIFETIME_S,))


def _fingerprint(pairs: Pairs) -> bytes:
    return hashlib.blake2b(repr(sorted(pairs)).encode(), digest_size=16).digest()
