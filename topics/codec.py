"""Envelopes to Kafka records and back: CloudEvents 1.0, binary mode, JSON bodies."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from pydantic import ValidationError

from contracts.identifiers import parse_type_id
from contracts.message import BodyT, Envelope
from topics import tracing
from topics.plain import plain_reader
from topics.topic import Topic

PAYLOAD_BYTES_MAX: Final = 900_000
#: Of `00-<32 hex>-<16 hex>-<2 hex>`.
_TRACE_LENGTH: Final = 55
_SOURCE: Final = b"/amply"

Headers = tuple[tuple[str, bytes], ...]


class UndecodableError(ValueError):
    """The record is not a message of this topic. Its text says why, without quoting the payload."""


class _NotThisTopicError(ValueError):
    """The record says that it belongs to another topic."""


class Plain(NamedTuple):
    """A message of which little is needed; its body in dicts and lists, see `plain_reader`."""

    id: UUID
    organization: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """What Kafka keeps of a message. `partition` None leaves the choice to the key's hash."""

    topic: str
    partition: int | None
    key: bytes
    value: bytes
    headers: Headers


def encode(topic: Topic[BodyT], message: Envelope[BodyT], trace: str | None = None) -> Record:
    """The record of a message; ValueError when its body is larger than 900 000 bytes.

    `trace` is the `traceparent` that it belongs to, by default the current one.
    """
    value = message.body.model_dump_json().encode()
    if len(value) > PAYLOAD_BYTES_MAX:
        raise ValueError(f"a body of {topic.name} may have {PAYLOAD_BYTES_MAX} bytes")
    partition = topic.partition(message) if topic.partition else None
    key = topic.key(message).encode()
    attributes = [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(message.id).encode()),
        ("ce_type", topic.name.encode()),
        ("ce_source", _SOURCE),
        ("ce_time", _spell_time(message.time)),
        ("ce_organization", message.organization.encode()),
        ("content-type", b"application/json"),
    ]
    if message.cause is not None:
        attributes.append(("ce_cause", str(message.cause).encode()))
    if (parent := trace or message.trace or tracing.PARENT.get()) is not None:
        attributes.append((tracing.HEADER, parent.encode("latin-1")))
    return Record(topic.name, partition, key, value, tuple(attributes))


def decode(
    topic: Topic[BodyT], headers: Iterable[tuple[str, bytes | None]], value: bytes | None
) -> Envelope[BodyT]:
    """The message in a record; UndecodableError when it is none of this topic."""
    try:
        identifier, time, organization, cause, trace = _read_attributes(topic.name, headers)
        body = topic.body.model_validate_json(value or b"", extra="ignore")
    except (KeyError, ValueError) as error:
        raise _undecodable(error) from error
    return Envelope(identifier, topic.name, time, organization, cause, body, trace)


def decode_plain(
    topic: Topic[BodyT], headers: Iterable[tuple[str, bytes | None]], value: bytes | None
) -> Plain:
    """What `decode` reads, for a reader of very many; UndecodableError exactly as there."""
    try:
        identifier, _, organization, _, _ = _read_attributes(topic.name, headers)
        body = plain_reader(topic.body)(value or b"")
    except (KeyError, ValueError) as error:
        raise _undecodable(error) from error
    return Plain(identifier, organization, body)


def _read_attributes(
    topic: str, headers: Iterable[tuple[str, bytes | None]]
) -> tuple[UUID, datetime, str, UUID | None, str | None]:
    attributes = {name: content for name, content in headers if content is not None}
    if attributes["ce_type"] != topic.encode():
        raise _NotThisTopicError
    cause, trace = attributes.get("ce_cause"), attributes.get(tracing.HEADER)
    return (
        UUID(attributes["ce_id"].decode("ascii")),
        _parse_time(attributes["ce_time"]),
        _parse_organization(attributes["ce_organization"]),
        UUID(cause.decode("ascii")) if cause is not None else None,
        # Whatever it is, nothing depends on it.
        trace.decode("latin-1")[:_TRACE_LENGTH] if trace is not None else None,
    )


def _undecodable(error: KeyError | ValueError) -> UndecodableError:
    match error:
        case KeyError():
            return UndecodableError(f"the header {error.args[0]} is missing")
        case ValidationError():
            return UndecodableError(_describe(error))
        case _NotThisTopicError():
            return UndecodableError("ce_type names another topic")
        case _:
            return UndecodableError(f"a header is malformed: {type(error).__name__}")


def _describe(error: ValidationError) -> str:
    # Locations and error types only: the input may hold anything.
    faults: list[Any] = error.errors(include_input=False, include_url=False, include_context=False)
    places = [".".join(map(str, fault["loc"])) or "body" for fault in faults[:5]]
    return "; ".join(
        f"{place}: {fault['type']}" for place, fault in zip(places, faults, strict=False)
    )


@lru_cache(maxsize=4096)  # Few organizations send many messages, and the check is slow.
def _parse_organization(text: bytes) -> str:
    # Checked, because it names the rows that the reader's transaction may see.
    organization = text.decode("ascii")
    parse_type_id("org", organization)
    return organization


def _parse_time(text: bytes) -> datetime:
    moment = datetime.fromisoformat(text.decode("ascii"))
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset")
    return moment


def _spell_time(moment: datetime) -> bytes:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z").encode()
