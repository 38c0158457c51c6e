"""What the engines tell a spectator (the command line draws it) while they are fetched and
started.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Stage = Literal["fetching", "fetched", "starting", "started", "given", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class Event:
    """One step of one subject.

    `subject` is a thing a person knows ("PostgreSQL", "Kafka jars", "SpiceDB"). `size_bytes` is
    what lies in the cache afterwards, or the expected size while fetching; `seconds` is how long
    the step took; `port` is on 127.0.0.1; `detail` is a short remark such as a version. Fields
    unknown at a stage are None.
    """

    stage: Stage
    subject: str
    size_bytes: int | None = None
    seconds: float | None = None
    port: int | None = None
    detail: str | None = None


Progress = Callable[[Event], None]


def silent(_event: Event) -> None:
    """The spectator that does not look."""
