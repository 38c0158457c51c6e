"""How rough it is in a history: the weather of webhooks, repeated messages, dying workers."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Weather:
    """How often an event is lost, told twice, or held back until the next round."""

    lost: float = 0.0
    twice: float = 0.0
    held: float = 0.0


@dataclass(slots=True)
class Trouble:
    """Chances: that a message comes again, that a worker dies in a batch."""

    weather: Weather = field(default_factory=Weather)
    repeated: float = 0.0
    deaths: float = 0.0

    @property
    def is_none(self) -> bool:
        """Whether all is well."""
        return self == Trouble()
