"""The writer does not outlive what runs beside it: entries that nobody announces help nobody."""

from typing import Any

import pytest

from workers.bookkeeping import erasures, writer
from workers.bookkeeping.announcer import Announcer
from workers.settings import load

SETTINGS = {
    "AMPLY_MODE": "development",
    "AMPLY_POSTGRES": "postgresql://-",
    "AMPLY_KAFKA": "-:1",
    "AMPLY_LOG_ORIGIN": "amply.test/log/0",
}


async def fail(*arguments: Any) -> None:
    raise ZeroDivisionError


async def stay(*arguments: Any) -> None:
    *_, stopping = arguments
    await stopping.wait()


COMPANIONS: list[Any] = [Announcer, erasures]


@pytest.mark.parametrize("companion", COMPANIONS, ids=["announcer", "erasures"])
async def test_the_process_ends_when_a_companion_of_the_writer_fails(
    monkeypatch: pytest.MonkeyPatch, companion: Any
) -> None:
    for one in (*COMPANIONS, writer._Writer):
        monkeypatch.setattr(one, "run", fail if one is companion else stay)
    with pytest.raises(ExceptionGroup) as raised:
        await writer.run(load(SETTINGS))
    assert raised.group_contains(ZeroDivisionError)
