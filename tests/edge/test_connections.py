"""Slow, silent, oversized, too many: on real sockets, each ended with an answer or at once."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from edge.bounds import Bounds
from edge.limits.rules import Limits
from tests.edge.stand import Served, Stand, until

pytestmark = pytest.mark.asyncio

HEAD = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
SOON = Bounds(head_s=0.3, stalled_s=0.3)
PROBLEMS = "application/problem+json"


class Client:
    """One connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(20):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.split("\r\n")
            fields = (line.partition(": ") for line in lines[1:] if line)
            headers = {name.lower(): value for name, _, value in fields}
            body = await self.reader.readexactly(int(headers["content-length"]))
        return int(lines[0].split(" ")[1]), headers, body

    async def is_closed(self) -> bool:
        """Whether the server ends the connection, and says nothing more."""
        try:
            async with asyncio.timeout(20):
                return await self.reader.read() == b""
        except ConnectionError:
            return True

    async def is_refused(self, status: int, code: str) -> dict[str, str]:
        found, headers, body = await self.answer()
        problem = json.loads(body)
        assert (found, problem["code"]) == (status, code)
        assert headers["content-type"] == PROBLEMS
        assert headers["server"] == "amply" and headers["x-content-type-options"] == "nosniff"
        assert problem["request_id"] == headers["x-request-id"]
        assert await self.is_closed()
        return headers


@asynccontextmanager
async def connected(edge: Served) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


async def dribble(client: Client, data: bytes) -> None:
    """A byte now and then, for ever: each arrives long before anything is over."""
    for byte in data * 1000:
        if client.writer.is_closing():
            return
        client.send(bytes([byte]))
        await asyncio.sleep(0.02)


@asynccontextmanager
async def dribbling(client: Client, data: bytes) -> AsyncIterator[None]:
    task = asyncio.create_task(dribble(client, data))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_head_that_dribbles_in_is_refused_and_others_are_served(stand: Stand) -> None:
    async with stand.serve(bounds=SOON) as edge, connected(edge) as slow:
        slow.send(HEAD + b"X-Slow: ")
        async with dribbling(slow, b"a"):
            assert (await edge.get("/livez")).status == 200
            await slow.is_refused(408, "head_timeout")


async def test_a_later_head_that_dribbles_in_is_refused_too(stand: Stand) -> None:
    async with stand.serve(bounds=SOON) as edge, connected(edge) as slow:
        slow.send(HEAD + b"\r\n")
        assert (await slow.answer())[0] == 200
        async with dribbling(slow, b"GET /livez HTTP/1.1\r\nX-Slow: a"):
            await slow.is_refused(408, "head_timeout")


async def test_a_connection_that_says_nothing_is_closed(stand: Stand) -> None:
    async with stand.serve(bounds=SOON) as edge, connected(edge) as silent:
        assert await silent.is_closed()


async def test_a_slow_body_is_no_slow_head(stand: Stand) -> None:
    # A handler that never reads the body answers at once; the rest is read and thrown away.
    async with stand.serve(bounds=SOON) as edge, connected(edge) as slow:
        slow.send(b"POST /v1/webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n")
        slow.send(b"a" * 39)
        await asyncio.sleep(3 * SOON.head_s)  # Longer than any head may take.
        slow.send(b"a")
        status, _, body = await slow.answer()
        assert (status, json.loads(body)["code"]) == (400, "signature_malformed")
        slow.send(HEAD + b"\r\n")
        assert (await slow.answer())[0] == 200, "the connection serves on"


async def test_a_body_that_dribbles_in_is_refused(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.http.BODY_S_MAX", 0.3)
    async with stand.serve() as edge, connected(edge) as slow:
        slow.send(b"POST /v1/webhooks/stripe HTTP/1.1\r\nHost: x\r\n")
        slow.send(b"Content-Length: 4000\r\n\r\n")
        async with dribbling(slow, b"a"):
            status, _, body = await slow.answer()
            assert (status, json.loads(body)["code"]) == (408, "request_timeout")
            assert await slow.is_closed()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        HEAD + b"X: " + b"a" * 20_000 + b"\r\n\r\n",
        HEAD + b"a" * 20_000 + b": x\r\n\r\n",
        HEAD + b"".join(b"X-%d: x\r\n" % number for number in range(150)) + b"\r\n",
        HEAD + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 4000) for n in range(20)) + b"\r\n",
    ],
    ids=["address", "value", "name", "number", "sum"],
)
async def test_an_oversized_head_is_refused(stand: Stand, request_bytes: bytes) -> None:
    async with stand.serve() as edge, connected(edge) as client:
        client.send(request_bytes)
        status, _, body = await client.answer()
        assert (status, json.loads(body)["code"]) == (431, "head_too_large")


async def test_a_head_that_grows_piece_by_piece_is_refused(stand: Stand) -> None:
    async with stand.serve() as edge, connected(edge) as client:
        client.send(HEAD)
        for number in range(40):
            client.send(b"X-%d: %s\r\n" % (number, b"a" * 1000))
            await client.writer.drain()
            await asyncio.sleep(0)
        status, _, body = await client.answer()
        assert (status, json.loads(body)["code"]) == (431, "head_too_large")


async def test_pipelined_requests_are_answered_in_order_however_many(edge: Served) -> None:
    async with connected(edge) as client:
        paths = [f"/problems/nothing-{number}" for number in range(500)]
        for path in paths:
            client.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        for path in paths:
            assert json.loads((await client.answer())[2])["instance"] == path


async def test_a_client_that_does_not_read_is_given_up(stand: Stand) -> None:
    async with stand.serve(bounds=SOON) as edge, connected(edge) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # A transport can.
        ended = 'amply_edge_connections_ended_total{reason="stalled"}'

        async def count() -> float:
            text = (await edge.get("/metrics")).body.decode()
            lines = [line for line in text.splitlines() if line.startswith(ended)]
            return float(lines[0].rpartition(" ")[2]) if lines else 0.0

        before = await count()
        for _ in range(1000):
            client.send(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")

        async def is_given_up() -> bool:
            return await count() > before

        await until(is_given_up, "the connection is given up")


async def test_past_the_number_of_connections_others_wait(stand: Stand) -> None:
    bounds = Bounds(connections=2)
    async with stand.serve(bounds=bounds) as edge, connected(edge) as one, connected(edge) as two:
        for client in (one, two):
            client.send(HEAD + b"\r\n")
            assert (await client.answer())[0] == 200
        async with connected(edge) as third:
            third.send(HEAD + b"\r\n")
            headers = await third.is_refused(503, "overloaded")
            assert headers["retry-after"] == "5"
        one.writer.transport.abort()

        async def is_served() -> bool:
            async with connected(edge) as client:
                client.send(HEAD + b"\r\n")
                return (await client.answer())[0] == 200

        await until(is_served, "a place is free again")


async def test_a_flood_of_connections_is_dropped_unanswered(stand: Stand) -> None:
    async with (
        stand.serve(bounds=Bounds(connections=1)) as edge,
        connected(edge),
        connected(edge),
        connected(edge) as third,
    ):
        assert await third.is_closed()


async def test_one_address_takes_no_more_than_its_connections(stand: Stand) -> None:
    async with (
        stand.serve(bounds=Bounds(connections_of_address=1), limits=Limits(is_direct=True)) as edge,
        connected(edge),
        connected(edge) as second,
    ):
        second.send(HEAD + b"\r\n")
        await second.is_refused(503, "overloaded")


async def test_a_client_that_vanishes_within_its_head_leaves_nothing(stand: Stand) -> None:
    async with stand.serve(bounds=Bounds(connections=1)) as edge:
        async with connected(edge) as client:
            client.send(HEAD)
            await client.writer.drain()

        async def is_served() -> Any:
            async with connected(edge) as other:
                other.send(HEAD + b"\r\n")
                return (await other.answer())[0] == 200

        await until(is_served, "the place is free")
