"""A client that goes, at any moment, neither loses its gift nor makes two."""

import asyncio

import orjson
import pytest
from structlog.testing import capture_logs

from tests.edge.stand import Served, Stand, gift, until

pytestmark = pytest.mark.asyncio


async def send(
    served: Served, secret: str, body: bytes, key: str, sent: int | None = None
) -> asyncio.StreamWriter:
    """Send a request, or its first bytes; `writer.transport.abort()` resets the connection."""
    head = (
        f"POST /v1/donations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\n"
        f"Content-Type: application/json\r\nIdempotency-Key: {key}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    _, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write((head + body)[:sent])
    await writer.drain()
    return writer


@pytest.mark.parametrize("handler_cancellation", [False, True])
async def test_a_client_that_goes_after_its_body(stand: Stand, handler_cancellation: bool) -> None:
    registered = await stand.register()
    body = orjson.dumps(gift(registered.id))
    async with stand.serve(handler_cancellation=handler_cancellation) as served:
        held = await stand.hold(registered.id, "k")
        writer = await send(served, registered.key.secret, body, "k")
        await stand.blocked()
        writer.transport.abort()
        # While the row is being written the key is taken ...
        busy = await served.donate(body, registered.key.secret, "k")
        assert (busy.status, busy.code) == (409, "request_in_progress")
        await held.release()

        async def answer() -> str | None:
            again = await served.donate(body, registered.key.secret, "k")
            assert again.status in (202, 409)
            return str(again.json["id"]) if again.status == 202 else None

        # ... and afterwards it answers as that request was.
        donation = await until(answer, "the key is free")
        assert await answer() == donation
    assert await stand.stored(registered.id) == (1, 1, 1)


@pytest.mark.parametrize("handler_cancellation", [False, True])
async def test_a_client_that_goes_within_its_body(stand: Stand, handler_cancellation: bool) -> None:
    registered = await stand.register()
    body = orjson.dumps(gift(registered.id))
    async with stand.serve(handler_cancellation=handler_cancellation) as served:
        writer = await send(served, registered.key.secret, body, "k", -20)
        writer.transport.abort()
        answer = await served.donate(body, registered.key.secret, "k")
        assert answer.status == 202
        assert answer.headers.get("Idempotent-Replayed") is None
    assert await stand.stored(registered.id) == (1, 1, 1)


@pytest.mark.parametrize("handler_cancellation", [False, True])
async def test_a_client_that_goes_is_one_line_of_the_log(
    stand: Stand, handler_cancellation: bool
) -> None:
    registered = await stand.register()
    body = orjson.dumps(gift(registered.id))
    with capture_logs() as lines:
        async with stand.serve(handler_cancellation=handler_cancellation) as served:
            held = await stand.hold(registered.id, "k")
            writer = await send(served, registered.key.secret, body, "k")
            await stand.blocked()
            writer.transport.abort()
            await held.release()

            async def told() -> list[object]:
                return [line["outcome"] for line in lines if line["event"] == "request"]

            outcomes = await until(told, "the request is told of")
    assert outcomes == ["cancelled" if handler_cancellation else "client_gone"]


async def test_many_clients_that_go(stand: Stand) -> None:
    registered = await stand.register()
    bodies = {
        f"k-{number}": orjson.dumps(gift(registered.id, amount_minor=100 + number))
        for number in range(40)
    }
    async with stand.serve(handler_cancellation=True) as served:
        writers = [
            await send(served, registered.key.secret, body, key) for key, body in bodies.items()
        ]
        for writer in writers:
            writer.transport.abort()
        for key, body in bodies.items():

            async def accepted(key: str = key, body: bytes = body) -> bool:
                return (await served.donate(body, registered.key.secret, key)).status == 202

            await until(accepted, f"{key} is answered")
    assert await stand.stored(registered.id) == (40, 40, 1)
