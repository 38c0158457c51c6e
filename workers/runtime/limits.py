"""How much a worker takes at once, how often it tries, how long it waits."""

from collections.abc import Mapping
from dataclasses import dataclass

from workers.settings import integer, seconds


@dataclass(frozen=True, slots=True)
class Limits:
    """Defaults for production; tests and operators change some by environment variables.

    A call or a batch is tried `attempts_max` times with waiting times from `retry_delay_s_first`
    up to `retry_delay_s_max`, a call not again once `retry_s_max` are over. Then its key is parked
    and tried again after `park_delay_s_first`, doubling up to `park_delay_s_max`.
    """

    records_max: int = 500
    calls_max: int = 32
    call_s_max: float = 30.0
    attempts_max: int = 5
    retry_delay_s_first: float = 0.2
    retry_delay_s_max: float = 5.0
    retry_s_max: float = 10.0
    park_delay_s_first: float = 1.0
    park_delay_s_max: float = 600.0
    park_poll_s: float = 1.0
    lease_s: float = 60.0
    drain_s_max: float = 15.0


def load(variables: Mapping[str, str]) -> Limits:
    """The limits that these `AMPLY_*` variables ask for; SettingError when one is wrong."""
    usual = Limits()
    return Limits(
        records_max=integer(
            variables, "AMPLY_RECORDS_MAX", usual.records_max, least=1, most=10_000
        ),
        attempts_max=integer(
            variables, "AMPLY_ATTEMPTS_MAX", usual.attempts_max, least=1, most=100
        ),
        call_s_max=seconds(variables, "AMPLY_CALL_S_MAX", usual.call_s_max),
        park_delay_s_first=seconds(variables, "AMPLY_PARK_DELAY_S", usual.park_delay_s_first),
        park_delay_s_max=seconds(variables, "AMPLY_PARK_DELAY_S_MAX", usual.park_delay_s_max),
    )
