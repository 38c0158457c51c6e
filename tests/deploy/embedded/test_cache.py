"""The cache: an artefact is made once, whole or not at all, whoever asks at the same time."""

import asyncio
from pathlib import Path

import pytest

from deploy.embedded.cache import Cache, default_cache, digest_of
from deploy.embedded.errors import FetchError
from deploy.embedded.events import Event, silent


async def test_an_artefact_is_made_once_and_reported(tmp_path: Path) -> None:
    events: list[Event] = []
    made = 0

    async def make(partial: Path) -> None:
        nonlocal made
        made += 1
        (partial / "tool").write_bytes(b"12345")

    cache = Cache(tmp_path, events.append)
    first = await cache.ensure("tool-1", "A tool", 5, make)
    second = await cache.ensure("tool-1", "A tool", 5, make)
    assert first == second and (first / "tool").read_bytes() == b"12345"
    assert made == 1
    assert [(event.stage, event.size_bytes) for event in events] == [
        ("fetching", 5),
        ("fetched", 5),
    ]


async def test_two_that_ask_at_once_fetch_once(tmp_path: Path) -> None:
    entered, release = asyncio.Event(), asyncio.Event()
    made = 0

    async def make(partial: Path) -> None:
        nonlocal made
        made += 1
        entered.set()
        await release.wait()

    one, other = Cache(tmp_path, silent), Cache(tmp_path, silent)
    first = asyncio.create_task(one.ensure("tool-1", "A tool", 0, make))
    await entered.wait()
    second = asyncio.create_task(other.ensure("tool-1", "A tool", 0, make))
    await asyncio.sleep(0)
    release.set()
    assert await first == await second
    assert made == 1


async def test_an_interrupted_fetch_is_invisible_and_continued(tmp_path: Path) -> None:
    async def fail(partial: Path) -> None:
        (partial / "first half").touch()
        raise FetchError("the line broke")

    found: list[str] = []

    async def go_on(partial: Path) -> None:
        found.extend(path.name for path in partial.iterdir())

    cache = Cache(tmp_path, silent)
    with pytest.raises(FetchError, match="the line broke"):
        await cache.ensure("tool-1", "A tool", 0, fail)
    assert not cache.path("tool-1").exists()
    await cache.ensure("tool-1", "A tool", 0, go_on)
    assert found == ["first half"]


async def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FetchError, match=r"cannot be written .*: set AMPLY_CACHE"):
        await Cache(tmp_path / "file", silent).ensure("tool-1", "A tool", 0, fail_to_make)


async def fail_to_make(_partial: Path) -> None:
    raise AssertionError("nothing can be made there")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"AMPLY_CACHE": "/somewhere/else"}, Path("/somewhere/else")),
        ({"XDG_CACHE_HOME": "/xdg", "HOME": "/home/ada"}, Path("/xdg/amply")),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/home/ada"}, Path("/home/ada/.cache/amply")),
        ({"HOME": "/home/ada"}, Path("/home/ada/.cache/amply")),
    ],
)
def test_the_cache_lies_where_the_user_says(
    environment: dict[str, str], expected: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AMPLY_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", "linux")
    assert default_cache() == expected


def test_digests_keep_their_parts_apart() -> None:
    assert digest_of("ab", "c") != digest_of("a", "bc")
    assert digest_of(b"ab", "c") == digest_of("ab", b"c")
