"""What a request may put into a log line: nothing that it did not get from us, and never a line."""

import asyncio
from pathlib import Path

import orjson
import pytest

from tests.edge.stand import Stand
from tests.edge.test_connections import connected
from tests.edge.test_process import process

pytestmark = pytest.mark.asyncio

TRACE = "0af7651916cd43dd8448eb211c80319c"
FORGED = '{"event":"forged","status":200}'


async def test_no_client_forges_a_line(stand: Stand, tmp_path: Path) -> None:
    await stand.fetch("DELETE FROM messages.outbox")
    async with process(stand, tmp_path) as (started, edge):
        for agent in (f"a%0d%0a{FORGED}", f"a\\r\\n{FORGED}", "\u2028" + FORGED):
            answer = await edge.get(
                "/nowhere",
                **{
                    "User-Agent": agent,
                    "Referer": agent,
                    "traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
                },
            )
            assert answer.status == 404
        async with connected(edge) as raw:
            raw.send(b"GET /livez HTTP/1.1\r\nHost: x\r\nUser-Agent: a\rb: " + FORGED.encode())
            raw.send(b"\r\n\r\n")
            status, _, _ = await raw.answer()
            assert status == 400
        started.terminate()
        assert started.stdout is not None
        async with asyncio.timeout(60):
            said = await started.stdout.read()
    lines = [orjson.loads(line) for line in said.splitlines()]
    assert b"forged" not in said
    requests = [line for line in lines if line["event"] == "request"]
    assert [line["status"] for line in requests] == [404, 404, 404, 400]
    assert {line.get("trace_id") for line in requests[:3]} == {TRACE}
