"""Envelopes to records and back, and every way in which a record can be no message."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from contracts.entries import EntryRequested
from contracts.identifiers import random_id, type_id
from contracts.message import Envelope
from contracts.payments import PaymentFailed
from topics import codec, outbox, tracing
from topics.codec import UndecodableError
from topics.registry import ENTRIES_REQUESTED, PAYMENTS_FAILED
from workers.runtime.worker import Transaction

ORGANIZATION = type_id("org", UUID(int=7))
BODY = PaymentFailed(
    donation=type_id("don", UUID(int=1)), amount_minor=2500, code="canceled", decline_code=None
)


def message(**changes: Any) -> Envelope[Any]:
    attributes: dict[str, Any] = {
        "id": random_id(datetime.now(UTC)),
        "type": PAYMENTS_FAILED.name,
        "time": datetime(2026, 5, 1, 12, 30, 0, 123456, UTC),
        "organization": ORGANIZATION,
        "cause": None,
        "body": BODY,
    }
    return Envelope(**attributes | changes)


def headers_with(record: codec.Record, name: str, value: bytes | None) -> list[tuple[str, Any]]:
    return [(found, value if found == name else kept) for found, kept in record.headers]


@pytest.mark.parametrize("cause", [None, UUID(int=9)])
def test_a_message_survives_the_way_there_and_back(cause: UUID | None) -> None:
    sent = message(cause=cause)
    record = codec.encode(PAYMENTS_FAILED, sent)
    assert record.key == sent.body.donation.encode()
    assert record.partition is None
    assert codec.decode(PAYMENTS_FAILED, record.headers, record.value) == sent
    spelled = outbox.spell_headers(record.headers)
    assert outbox.parse_headers(spelled) == record.headers


def test_a_topic_may_choose_the_partition() -> None:
    body = EntryRequested(kind="genesis", visibility="public_full")
    record = codec.encode(ENTRIES_REQUESTED, message(type=ENTRIES_REQUESTED.name, body=body))
    assert (record.partition, record.key) == (0, ORGANIZATION.encode())


def test_unknown_fields_are_ignored_by_readers_and_refused_from_writers() -> None:
    record = codec.encode(PAYMENTS_FAILED, message())
    newer = record.value[:-1] + b',"added_in_2027":{"a":[1]}}'
    assert codec.decode(PAYMENTS_FAILED, record.headers, newer).body == BODY
    with pytest.raises(ValidationError):
        PaymentFailed(**BODY.model_dump() | {"added_in_2027": 1})


@pytest.mark.parametrize(
    "value", [b"0", b"", None, b"null", b"[]", b"{}", b"\xff\xfe", b'"text"', b"{" * 5000]
)
def test_a_body_that_is_none_of_the_topic_is_undecodable(value: bytes | None) -> None:
    record = codec.encode(PAYMENTS_FAILED, message())
    with pytest.raises(UndecodableError):
        codec.decode(PAYMENTS_FAILED, record.headers, value)


@pytest.mark.parametrize("name", ["ce_id", "ce_type", "ce_time", "ce_organization"])
@pytest.mark.parametrize("value", [None, b"", b"\xff", b"nonsense", b"2026-05-01T12:00:00"])
def test_a_malformed_header_is_undecodable(name: str, value: bytes | None) -> None:
    record = codec.encode(PAYMENTS_FAILED, message())
    with pytest.raises(UndecodableError, match=name if value is None else "header|ce_type"):
        codec.decode(PAYMENTS_FAILED, headers_with(record, name, value), record.value)


def test_an_organization_cannot_name_two() -> None:
    record = codec.encode(PAYMENTS_FAILED, message())
    two = f"{ORGANIZATION},{type_id('org', UUID(int=8))}".encode()
    with pytest.raises(UndecodableError):
        codec.decode(PAYMENTS_FAILED, headers_with(record, "ce_organization", two), record.value)


def test_the_reason_quotes_nothing_of_the_body() -> None:
    record = codec.encode(PAYMENTS_FAILED, message())
    value = record.value.replace(b"2500", b'"ada@example.org"')
    with pytest.raises(UndecodableError) as caught:
        codec.decode(PAYMENTS_FAILED, record.headers, value)
    assert str(caught.value) == "amount_minor: int_type"


def test_a_body_has_a_largest_size() -> None:
    body = EntryRequested(
        kind="adjustment", visibility="public_full", details={"note": "x" * 900_001}
    )
    with pytest.raises(ValueError, match="900000 bytes"):
        codec.encode(ENTRIES_REQUESTED, message(type=ENTRIES_REQUESTED.name, body=body))


def test_only_the_listed_senders_send() -> None:
    with pytest.raises(outbox.NotASenderError, match="fees is not among the senders"):
        outbox.prepare("fees", PAYMENTS_FAILED, message())
    assert outbox.prepare("payments", PAYMENTS_FAILED, message()).topic == PAYMENTS_FAILED.name


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_trace_is_carried_on_by_whatever_a_message_causes() -> None:
    told = codec.encode(PAYMENTS_FAILED, message(), TRACE)
    cause = codec.decode(PAYMENTS_FAILED, told.headers, told.value)
    assert cause.trace == TRACE
    nowhere: Any = None
    transaction = Transaction(nowhere, next(iter(PAYMENTS_FAILED.senders)))
    transaction.send(PAYMENTS_FAILED, BODY, cause=cause)
    [caused] = transaction.records
    assert dict(caused.headers)[tracing.HEADER] == TRACE.encode()
    assert tracing.HEADER not in dict(codec.encode(PAYMENTS_FAILED, message()).headers)


@pytest.mark.parametrize("value", [b"", b"\xff\xfe", b"0" * 10_000])
def test_nothing_depends_on_a_trace(value: bytes) -> None:
    record = codec.encode(PAYMENTS_FAILED, message(), TRACE)
    headers = headers_with(record, tracing.HEADER, value)
    found = codec.decode(PAYMENTS_FAILED, headers, record.value)
    assert found == codec.decode(PAYMENTS_FAILED, record.headers, record.value)
    assert len(codec.encode(PAYMENTS_FAILED, found).headers) <= len(record.headers)
