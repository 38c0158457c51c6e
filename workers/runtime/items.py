"""A delivery on its way through a worker: read, called for, judged."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contracts.message import Envelope
from topics import codec
from topics.codec import UndecodableError
from topics.dead_letters import Verdict
from topics.delivery import Delivery
from workers.runtime.failures import REASON_LENGTH_MAX
from workers.runtime.worker import Act, Route


class _NotCalled:
    """No call was made for this item (yet)."""


NOT_CALLED: Final = _NotCalled()


@dataclass(slots=True)
class Item:
    """`message` is None when the record could not be read; then there is a verdict already.

    `outcome` is what the call of an `Act` route answered. A `verdict` sets the item aside; with
    `tell`, `messages.refused.v1` says so.
    """

    delivery: Delivery
    route: Route
    message: Envelope[Any] | None
    outcome: Any = NOT_CALLED
    verdict: Verdict | None = None
    tell: bool = False

    @property
    def key(self) -> tuple[str, bytes]:
        """What orders it: messages of one topic and key stay in order."""
        return self.delivery.topic, self.delivery.key

    @property
    def needs_call(self) -> bool:
        """Whether the outside has to be called before it can be recorded."""
        return isinstance(self.route, Act) and self.verdict is None and self.outcome is NOT_CALLED


def read(delivery: Delivery, route: Route) -> Item:
    """The item of a delivery: its message, or the verdict that there is none in it."""
    try:
        return Item(delivery, route, codec.decode(route.topic, delivery.headers, delivery.value))
    except UndecodableError as error:
        verdict = Verdict("dead", "undecodable", str(error)[:REASON_LENGTH_MAX])
        return Item(delivery, route, None, verdict=verdict)


def read_all(deliveries: Iterable[Delivery], routes: Mapping[str, Route]) -> list[Item]:
    """The items of a batch, in order; of several copies of a message only the first."""
    items = []
    met = set()
    for delivery in deliveries:
        item = read(delivery, routes[delivery.topic])
        if item.message is not None:
            if item.message.id in met:
                continue
            met.add(item.message.id)
        items.append(item)
    return items
