"""Real PostgreSQL, Apache Kafka and SpiceDB on loopback, without Docker: fetched once, started as
children.

`Engines` is the whole public surface; `events.Event` is what it reports while it works.
"""

from deploy.embedded.addresses import Addresses, GivenAddresses
from deploy.embedded.engines import Engines
from deploy.embedded.errors import (
    ChecksumMismatchError,
    DirectoryInUseError,
    EngineError,
    EngineStartError,
    FetchError,
    OfflineError,
)
from deploy.embedded.events import Event

__all__ = [
    "Addresses",
    "ChecksumMismatchError",
    "DirectoryInUseError",
    "EngineError",
    "EngineStartError",
    "Engines",
    "Event",
    "FetchError",
    "GivenAddresses",
    "OfflineError",
]
