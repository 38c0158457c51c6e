"""A donor who gives in every way there is, and all that the platform answers about it."""

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
import stripe
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from contracts.donations import SealedDonor
from contracts.entries import EntryRequested
from contracts.identifiers import random_id, type_id
from contracts.message import Envelope
from contracts.payments import PaymentCaptured
from tests.forgetting.traces import needles
from tests.platform import Running, all_recorded, until
from topics import codec
from topics.registry import ENTRIES_REQUESTED, PAYMENTS_CAPTURED

MARK = "zqxmarker7741"
NAME = f"Zoe {MARK}"
EMAIL = f"{MARK}@Example.org"
SOUGHT = needles(MARK, [NAME, EMAIL])
VISIBILITIES = ("public_full", "public_aggregated", "delayed_public", "internal_only")


@dataclass
class Donor:
    """Zoe, and Ben, who stays. Donation id -> amount."""

    running: Running
    gifts: dict[str, int] = field(default_factory=dict)
    of_ben: dict[str, int] = field(default_factory=dict)
    profile: str = ""

    async def give(self) -> None:
        """Gifts of all visibilities; public, anonymous twice, and of the amount only."""
        for number, visibility in enumerate(VISIBILITIES):
            await self._give(self.gifts, number, "public", fund=await self._fund(visibility))
        for number, display in enumerate(("anonymous", "anonymous", "amount_only"), 4):
            await self._give(self.gifts, number, display)
        await self._give(self.of_ben, 8, "public", name="Ben", email="ben@example.org")
        await all_recorded(self.running, self.gifts | self.of_ben, 60)
        [row] = await self.running.fetch(
            "SELECT DISTINCT profile FROM edge.donor_gifts WHERE donation = ANY($1)",
            list(self.gifts),
        )
        self.profile = row["profile"]

    async def _give(self, kept: dict[str, int], number: int, display: str, **given: Any) -> None:
        donor = {
            "name": given.pop("name", NAME),
            "email": given.pop("email", EMAIL),
            "display": display,
        }
        body = {
            "organization": self.running.settings["AMPLY_ORGANIZATION"],
            "amount_minor": 1000 + number,
            "currency": "USD",
            "payment_method": "pm_card_visa",
            "donor": donor,
            **given,
        }
        async with self.running.edge() as edge:
            answer = await edge.donate(body, f"forgetting-{number}")
        kept[str(answer.donation["id"])] = 1000 + number

    async def _fund(self, visibility: str) -> str:
        fund = type_id("fund", random_id(datetime.now(UTC)))
        await self.running.fetch(
            "INSERT INTO edge.funds (id, organization, name, currency, visibility)"
            " SELECT $1, id, 'A fund', 'USD', $2 FROM edge.organizations WHERE slug = $3",
            *(fund, visibility, self.running.settings["AMPLY_ORGANIZATION"]),
        )
        return fund

    async def leave_billing_details(self) -> str:
        """A webhook of Stripe about one of the payments, as its forms fill it in; the event."""
        [row] = await self.running.fetch(
            "SELECT payment_intent, stripe_account FROM donations.donations AS d"
            " JOIN read.organizations AS o ON o.id = d.organization WHERE d.id = $1",
            next(iter(self.gifts)),
        )
        about = {
            "id": "ch_billing",
            "payment_intent": row["payment_intent"],
            "billing_details": {"name": NAME, "email": EMAIL, "address": {"line1": MARK}},
        }
        event = {
            "id": f"evt_{MARK[::-1]}",
            "type": "charge.updated",
            "account": row["stripe_account"],
            "created": int(time.time()),
            "livemode": False,
            "api_version": "2026-08-26.dahlia",
            "data": {"object": about},
        }
        body = json.dumps(event)
        secret = self.running.settings["AMPLY_STRIPE_CONNECT_SECRETS"].split(",")[0]
        signature = stripe.WebhookSignature.generate_signature_header(body, secret)
        url = f"{self.running.settings['AMPLY_URL']}/v1/webhooks/stripe/connect"
        headers = {"Stripe-Signature": signature}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(url, data=body) as response,
        ):
            assert response.status == 200, await response.text()
        return str(event["id"])

    async def leave_messages_behind(self) -> None:
        """One that waits for an entry that never comes, and a dead letter, both with the donor."""
        captured = await self._captured()
        assert captured.body.donation.donor is not None
        wrong = captured.body.model_copy(update={"net_minor": captured.body.net_minor + 1})
        await self._publish(
            codec.encode(
                PAYMENTS_CAPTURED,
                _again(captured, captured.type, wrong),
            ),
            codec.encode(
                ENTRIES_REQUESTED,
                _again(captured, ENTRIES_REQUESTED.name, _waiting(captured.body.donation.donor)),
            ),
        )

        async def both() -> bool:
            [row] = await self.running.fetch(
                "SELECT (SELECT count(*) FROM ledger.waiting) AS waiting,"
                " (SELECT count(*) FROM messages.set_aside WHERE worker = 'fees') AS dead"
            )
            return bool(row["waiting"] and row["dead"])

        await until(both, what="one message waits and one is a dead letter")

    async def _captured(self) -> Envelope[PaymentCaptured]:
        consumer = AIOKafkaConsumer(
            PAYMENTS_CAPTURED.name,
            bootstrap_servers=self.running.settings["AMPLY_KAFKA"],
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            while True:
                record = await consumer.getone()
                message = codec.decode(PAYMENTS_CAPTURED, record.headers, record.value)
                if message.body.donation.donation in self.gifts:
                    return message
        finally:
            await consumer.stop()

    async def _publish(self, *records: codec.Record) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.running.settings["AMPLY_KAFKA"])
        await producer.start()
        try:
            for one in records:
                await producer.send_and_wait(
                    one.topic, one.value, key=one.key, headers=list(one.headers)
                )
        finally:
            await producer.stop()

    async def public_answers(self) -> dict[str, bytes]:
        """What anybody is answered about the organization."""
        base = f"/v1/public/organizations/{self.running.settings['AMPLY_ORGANIZATION']}"
        answers = {}
        async with aiohttp.ClientSession(self.running.settings["AMPLY_URL"]) as session:
            paths = [base, f"{base}/ledger?limit=100", f"{base}/ledger/export", "/log/0/checkpoint"]
            async with session.get(paths[1]) as response:
                entries = [one["id"] for one in (await response.json())["data"]]
            paths += [f"{base}/ledger/{entry}/openings" for entry in entries]
            for path in paths:
                async with session.get(path) as response:
                    answers[path] = await response.read()
                    if "openings" not in path:
                        assert response.status == 200, (path, answers[path])
        return answers

    async def own_answers(self) -> dict[str, bytes]:
        """What the organization's key is answered about the gifts: states and receipts."""
        answers = {}
        async with self.running.edge() as edge:
            for identifier in self.gifts:
                answers[identifier] = orjson.dumps(await edge.donation(identifier))
                answers[f"{identifier}/receipt"] = await edge.receipt(identifier)
        return answers


def _waiting(donor: SealedDonor) -> EntryRequested:
    return EntryRequested(
        kind="donation",
        visibility="public_full",
        ref=type_id("ent", random_id(datetime.now(UTC))),
        subject="waiting for ever",
        donor=donor,
    )


def _again(cause: Envelope[Any], topic: str, body: Any) -> Envelope[Any]:
    now = datetime.now(UTC)
    return Envelope(random_id(now), topic, now, cause.organization, cause.id, body)
