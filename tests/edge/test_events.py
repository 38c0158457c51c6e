from typing import Any

import orjson
import pytest

from edge.webhooks.events import ACCEPTED, read

EVENT: dict[str, Any] = {
    "id": "evt_1Abc",
    "object": "event",
    "type": "payment_intent.succeeded",
    "account": "acct_1A",
    "created": 1_800_000_000,
    "livemode": False,
    "api_version": "2026-08-26.dahlia",
    "data": {"object": {"id": "pi_1A", "metadata": {"note": "Ana\0B"}}},
}


def body(**changes: Any) -> bytes:
    return orjson.dumps(EVENT | changes)


def about(identifier: object) -> dict[str, Any]:
    return {"data": {"object": {"id": identifier}}}


@pytest.mark.parametrize(
    ("changes", "disposition"),
    [
        ({}, "passed_on"),
        ({"type": "charge.updated", **about("ch_1")}, "passed_on"),
        ({"type": "charge.updated", **about("py_1")}, "passed_on"),
        ({"type": "payout.paid", **about("po_1")}, "passed_on"),
        ({"livemode": True}, "wrong_mode"),
        ({"livemode": True, "type": "invoice.paid"}, "wrong_mode"),
        ({"type": "invoice.paid"}, "unknown_type"),
        ({"account": None}, "no_account"),
        ({"account": "acct_1;DROP"}, "malformed"),
        ({"account": 7}, "malformed"),
        ({"id": "1"}, "malformed"),
        ({"id": None}, "malformed"),
        ({"id": "evt_\0"}, "malformed"),
        ({"type": "Payment Intent"}, "malformed"),
        ({"created": "1800000000"}, "malformed"),
        ({"created": True}, "malformed"),
        ({"created": -1}, "malformed"),
        ({"created": 10**15}, "malformed"),
        ({"livemode": "false"}, "malformed"),
        ({"api_version": None}, "malformed"),
        (about("ch_1"), "malformed"),
        (about("pi_1/../x"), "malformed"),
        (about("pi_" + "a" * 300), "malformed"),
        (about(None), "malformed"),
        ({"data": None}, "malformed"),
        ({"data": {"object": []}}, "malformed"),
    ],
)
def test_what_an_event_is_for_us(changes: dict[str, Any], disposition: str) -> None:
    event = read(body(**changes), is_live=False)
    assert event.disposition == disposition


def test_a_live_endpoint_takes_live_events() -> None:
    assert read(body(livemode=True), is_live=True).disposition == "passed_on"
    assert read(body(), is_live=True).disposition == "wrong_mode"


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[]", b"null", b"{", b"[" * 50_000, b"1e999"])
def test_whatever_was_signed_is_read_without_a_crash(raw: bytes) -> None:
    event = read(raw, is_live=False)
    assert event.disposition == "malformed"
    assert event.id == read(raw, is_live=False).id


def test_every_accepted_type_is_read() -> None:
    for kind, prefixes in ACCEPTED.items():
        for prefix in prefixes.split("|"):
            event = read(body(type=kind, **about(f"{prefix}_1")), is_live=False)
            assert (event.disposition, event.object) == ("passed_on", f"{prefix}_1")
