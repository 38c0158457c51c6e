"""Everything that is kept about one donor, gathered in one snapshot, opened. Nothing is left out.

What is under the donor's key is opened with it: for whoever is forgotten there is nothing to open.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from amply_verify import canonical
from edge.rights import store
from edge.times import spell_time
from ledger import keys
from ledger.personal_data import open_donor
from topics.outbox import AnyConnection

#: The purpose of the key under which webhooks are kept (edge/webhooks/reception.py).
WEBHOOKS: Final = "stripe-event"
Row = dict[str, Any]


class Opener:
    """Opens what is kept under keys outside the database."""

    def __init__(self, master_key: bytes) -> None:
        self._key_ring = keys.KeyRing(master_key)
        self._webhook_key = keys.derive(master_key, WEBHOOKS)

    def donor(self, ciphertext: str | None, profile: Row) -> dict[str, Any] | None:
        """What the donor typed."""
        if ciphertext is None:
            return None
        data_key = self._key_ring.unwrap(profile["wrapped_key"], profile["id"])
        value: dict[str, Any] = open_donor(ciphertext, profile["id"], data_key)["value"]
        return value

    def webhook(self, row: Row) -> Any:
        """A webhook's body; None when it was forgotten."""
        if not row["body"]:
            return None
        return orjson.loads(keys.decrypt(self._webhook_key, row["body"], row["id"].encode()))


async def gather(
    connection: AnyConnection, organization: str, donor: str, opener: Opener, now: datetime
) -> dict[str, Any] | None:
    """The donor's data (`DonorData`); None when there is no such donor.

    `connection` is in a snapshot whose scope has the organization.
    """
    profile = await store.profile(connection, organization, donor)
    if profile is None:
        return None
    gifts = await store.gifts(connection, organization, donor)
    donations = [gift["donation"] for gift in gifts]
    about: dict[str, list[Row]] = {
        name: await store.about(connection, query, organization, donations)
        for name, query in _BY_DONATION.items()
    }
    sealed = await store.sealed(connection, organization, donations, donor)
    entries = [entry["id"] for entry in about["entries"]]
    payments = [gift["payment_intent"] for gift in gifts if gift["payment_intent"] is not None]
    mails = await store.about(connection, store.MAILS, organization, entries)
    webhooks = await store.about(connection, store.WEBHOOKS, organization, payments)
    resources = [donor, *donations, *(refund["id"] for refund in about["refunds"])]
    deeds = await store.about(connection, store.AUDIT, organization, resources)
    consents = await store.consents(connection, organization, donor)
    ciphertexts = {
        row["subject"]: row["ciphertext"] for row in about["entries"] if row["ciphertext"]
    }
    return {
        "object": "donor_data",
        "donor": donor,
        "organization": organization,
        "known_since": spell_time(profile["created_at"]),
        "gifts": [
            _gift(gift, about, opener.donor((sealed | ciphertexts).get(gift["donation"]), profile))
            for gift in gifts
        ],
        "consents": [consent_of(row) for row in consents],
        "mails": [_plain(row) for row in mails],
        "webhooks": [{**_plain(row, "body"), "body": opener.webhook(row)} for row in webhooks],
        "audit": [_deed(canonical.parse(bytes(row["bytes"]))) for row in deeds],
        "made_at": spell_time(now.astimezone(UTC)),
    }


_BY_DONATION: Final = {
    "entries": store.ENTRIES,
    "refunds": store.REFUNDS,
    "disputes": store.DISPUTES,
    "requests": store.REQUESTS,
}


def consent_of(row: Mapping[str, Any] | None) -> dict[str, Any]:
    """A consent as the API shows it; never asked is no."""
    names = ("is_given", "wording", "source")
    answer: dict[str, Any] = (
        dict.fromkeys(names) if row is None else {name: row[name] for name in names}
    )
    answer["is_given"] = bool(answer["is_given"])
    answer["recorded_at"] = None if row is None else spell_time(row["recorded_at"])
    return {"object": "consent", "purpose": "marketing", **answer}


def _gift(
    gift: Row, about: Mapping[str, Sequence[Row]], given_as: dict[str, Any] | None
) -> dict[str, Any]:
    donation = gift["donation"]
    lists = {
        name: [
            _plain(row, "donation", "subject", "ciphertext")
            for row in rows
            if row.get("donation", row.get("subject")) == donation
        ]
        for name, rows in about.items()
    }
    return {**_plain(gift), "given_as": given_as, **lists}


def _deed(record: Mapping[str, Any]) -> dict[str, Any]:
    names = ("seq", "time", "occurred", "actor", "action", "resource", "outcome", "times")
    return {name: record[name] for name in names}


def _plain(row: Row, *without: str) -> dict[str, Any]:
    return {
        name: spell_time(value) if isinstance(value, datetime) else value
        for name, value in row.items()
        if name not in without
    }
