"""A record as Kafka delivered it, before anybody tried to read it."""

from dataclasses import dataclass
from typing import Any

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """`partition` and `offset` name the record for ever. `key` is empty when it had none."""

    topic: str
    partition: int
    offset: int
    key: bytes
    headers: Headers
    value: bytes | None

    @classmethod
    def of(cls, record: Any) -> "Delivery":
        """The delivery of an aiokafka `ConsumerRecord`."""
        return cls(
            record.topic,
            record.partition,
            record.offset,
            record.key or b"",
            tuple(record.headers),
            record.value,
        )
