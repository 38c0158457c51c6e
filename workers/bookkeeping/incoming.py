"""What comes in: Kafka records, requests that waited, dead letters that a person released.

Pure: a record becomes a request of the ledger, or the reason why it is none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from contracts.entries import EntryRequested
from contracts.identifiers import starts_with_time, type_id
from contracts.message import Envelope
from ledger.entry import DonorSeal, Request, spell_time
from ledger.store.waiting import WaitingRow
from topics import codec
from topics.codec import Plain
from topics.dead_letters import SetAside, Verdict
from topics.delivery import Delivery
from topics.outbox import parse_headers, spell_headers
from topics.registry import ENTRIES_REQUESTED

UNDECODABLE: Final = "undecodable"


@dataclass(slots=True)  # Not frozen: one is made for each entry, and freezing triples its cost.
class Incoming:
    """A record on its way: its request, or else the fault that makes it unreadable.

    `waited` says that it lies in the waiting table, `set_aside` is its position among the dead
    letters; neither has a place in the order of the topic. `record` is a delivery, or still the
    reader's own object with the same attributes: most are never asked for more than their offset.
    """

    record: Delivery | Any
    request: Request | None
    fault: str | None = None
    waited: bool = False
    set_aside: int | None = None

    @property
    def delivery(self) -> Delivery:
        """What was delivered, to be set aside or to wait."""
        return Delivery.of(self.record)

    @property
    def position(self) -> int | None:
        """Its offset, when it comes from the topic."""
        return None if self.waited or self.set_aside is not None else self.record.offset

    @property
    def message(self) -> Envelope[EntryRequested] | None:
        """The message of a request, read anew: few need it, and keeping all fills the memory."""
        if self.request is None:
            return None
        return codec.decode(ENTRIES_REQUESTED, self.record.headers, self.record.value)


def read(record: Delivery | Any, *, waited: bool = False, set_aside: int | None = None) -> Incoming:
    """The request in a record."""
    try:
        message = codec.decode_plain(ENTRIES_REQUESTED, record.headers, record.value)
    except codec.UndecodableError as error:
        return Incoming(record, None, str(error), waited, set_aside)
    if not starts_with_time(message.id):
        fault = "ce_id does not start with a time"
        return Incoming(record, None, fault, waited, set_aside)
    return Incoming(record, to_request(message), None, waited, set_aside)


def read_waiting(row: WaitingRow, partition: int) -> Incoming:
    """A request that waited."""
    delivery = Delivery(
        topic=ENTRIES_REQUESTED.name,
        partition=partition,
        offset=row.kafka_offset,
        key=row.key,
        headers=parse_headers(row.headers),
        value=row.value,
    )
    return read(delivery, waited=True)


def read_released(row: SetAside) -> Incoming:
    """A dead letter that shall be tried again."""
    return read(row.delivery, set_aside=row.position)


def to_waiting(item: Incoming, waits_for: str) -> WaitingRow:
    """The row that keeps a readable request until `waits_for` is recorded."""
    assert item.request is not None, "only a request can wait"
    delivery = item.delivery
    headers = tuple((name, value) for name, value in delivery.headers if value is not None)
    return WaitingRow(
        id=item.request.id,
        organization=item.request.organization,
        waits_for=waits_for,
        kafka_offset=delivery.offset,
        key=delivery.key,
        headers=spell_headers(headers),
        value=delivery.value or b"",
    )


def to_request(message: Plain) -> Request:
    """A message in the ledger's own terms. The entry's id is the message's."""
    body = message.body
    public_after, donor = body.get("public_after"), body.get("donor")
    return Request(
        id=type_id("ent", message.id),
        organization=message.organization,
        kind=body["kind"],
        visibility=body["visibility"],
        public_after=spell_time(public_after) if public_after else None,
        ref=body.get("ref"),
        subject=body.get("subject"),
        postings=body.get("postings"),
        details=body.get("details"),
        donor=DonorSeal(donor["profile"], donor["seal"], donor["opening"]) if donor else None,
    )


def requests_of(items: Iterable[Incoming]) -> list[Request]:
    """The requests among the records."""
    return [item.request for item in items if item.request is not None]


def next_offset(items: Sequence[Incoming], before: int) -> int:
    """The offset to read from after these records."""
    offsets = [position for item in items if (position := item.position) is not None]
    return max(offsets) + 1 if offsets else before


def verdict(code: str, reason: str) -> Verdict:
    """The verdict on a record that will never become an entry as it is."""
    return Verdict("dead", code, reason[:500])
