"""Fetching an export: it continues where it broke, and a file appears only when it is whole."""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from deploy import exporting
from deploy.client import RefusedByEdgeError
from deploy.exporting import ExportChangedError, Wanted, fetch

CONTENT = bytes(range(256)) * 1000
WANTED = Wanted(organization="o", format="csv", since=None, bom=False, with_openings=False)
PINNED = "/v1/public/organizations/o/ledger/export?format=csv&size=7&at=2026"


@dataclass
class Edge:
    """Misbehaves as planned: answers a status, or breaks after so many bytes; then no more."""

    url: str = ""
    plan: list[tuple[str, int]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    sha256: str = hashlib.sha256(CONTENT).hexdigest()

    async def export(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        action, number = self.plan.pop(0) if self.plan else ("send", 0)
        if action == "status":
            return web.json_response({"code": "unavailable", "detail": "later"}, status=number)
        data = CONTENT[int(request.query.get("offset", "0")) :]
        response = web.StreamResponse(headers={"Content-Location": PINNED, "Amply-Entries": "7"})
        await response.prepare(request)
        if action == "cut":
            await response.write(data[:number])
            assert request.transport is not None
            request.transport.close()
            raise ConnectionAbortedError
        await response.write(data)
        await response.write_eof()
        return response

    async def manifest(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        return web.json_response(
            {"entries": 7, "size": 7, "bytes": len(CONTENT), "sha256": self.sha256}
        )


@pytest.fixture
async def edge(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Edge]:
    monkeypatch.setattr(exporting, "_RETRY_DELAY_S", 0)
    made = Edge()
    app = web.Application()
    path = "/v1/public/organizations/o/ledger/export"
    app.router.add_get(path, made.export)
    app.router.add_get(f"{path}/manifest", made.manifest)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def run(edge: Edge, file: Path, wanted: Wanted = WANTED) -> list[tuple[int, int]]:
    seen: list[tuple[int, int]] = []
    await fetch(edge.url, None, wanted, file, lambda entries, size: seen.append((entries, size)))
    return seen


async def test_a_copy_that_breaks_again_and_again_is_continued_at_its_byte(
    edge: Edge, tmp_path: Path
) -> None:
    edge.plan = [("status", 503), ("cut", 100_000), ("cut", 1), ("cut", 50_000)]
    file = tmp_path / "books.csv"
    seen = await run(edge, file)
    assert file.read_bytes() == CONTENT
    assert {entries for entries, _ in seen} == {7} and seen[-1][1] == len(CONTENT)
    assert edge.asked[0] == edge.asked[1] == "/v1/public/organizations/o/ledger/export?format=csv"
    assert all(path.startswith(f"{PINNED}&offset=") for path in edge.asked[2:-1])
    assert edge.asked[-1] == PINNED.replace("?", "/manifest?")
    assert json.loads((tmp_path / "books.csv.manifest.json").read_text())["entries"] == 7
    assert len(list(tmp_path.iterdir())) == 2


async def test_the_next_run_continues_the_same_request_and_no_other(
    edge: Edge, tmp_path: Path
) -> None:
    file = tmp_path / "books.csv"
    edge.plan = [("cut", 100_000), ("status", 401)]
    with pytest.raises(RefusedByEdgeError):
        await run(edge, file)
    assert not file.exists() and (tmp_path / "books.csv.part").stat().st_size == 100_000
    edge.asked.clear()
    await run(edge, file)
    assert edge.asked[0] == f"{PINNED}&offset=100000"
    assert file.read_bytes() == CONTENT
    for name in (b"{", json.dumps({"address": PINNED, "wanted": {"format": "jsonl"}}).encode()):
        (tmp_path / "books.csv.part").write_bytes(b"of another copy")
        (tmp_path / "books.csv.part.json").write_bytes(name)
        edge.asked.clear()
        await run(edge, file)
        assert "offset" not in edge.asked[0]
        assert file.read_bytes() == CONTENT


async def test_a_copy_that_is_not_what_its_manifest_names_does_not_appear(
    edge: Edge, tmp_path: Path
) -> None:
    edge.sha256 = "0" * 64
    with pytest.raises(ExportChangedError):
        await run(edge, tmp_path / "books.csv")
    assert list(tmp_path.iterdir()) == []


async def test_a_refusal_is_told_in_the_edges_words_and_not_repeated(
    edge: Edge, tmp_path: Path
) -> None:
    edge.plan = [("status", 404)]
    with pytest.raises(RefusedByEdgeError, match="404 unavailable: later"):
        await run(edge, tmp_path / "books.csv")
    assert len(edge.asked) == 1 and list(tmp_path.iterdir()) == []
