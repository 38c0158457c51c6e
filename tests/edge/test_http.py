"""What holds for every request, whatever its path: problems, ids, headers, bounds."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from tests.edge.stand import Served, Stand, gift, until

pytestmark = pytest.mark.asyncio


async def raw(edge: Served, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are; status, headers and body of the first answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(request)
    async with asyncio.timeout(20):
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {
            name.lower(): value
            for name, _, value in (line.partition(": ") for line in lines[1:] if line)
        }
        body = await reader.readexactly(int(headers["content-length"]))
    writer.close()
    return int(lines[0].split(" ")[1]), headers, body


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"NONSENSE\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nUser-Agent: a\rfake: b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nBad Header: a\r\n\r\n",
        b"POST /v1/donations HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/donations HTTP/1.1\r\nHost: x\r\n"
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        b"POST /v1/donations HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/donations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX: \x00\r\n\r\n",
    ],
    ids=lambda value: value[:60].decode("latin-1"),
)
async def test_malformed_http_is_a_problem_and_closes_the_connection(
    edge: Served, request_bytes: bytes
) -> None:
    status, headers, body = await raw(edge, request_bytes)
    assert status == 400
    assert headers["content-type"] == "application/problem+json"
    assert headers["server"] == "amply"
    problem = json.loads(body)
    assert problem["code"] == "malformed_request"
    assert problem["request_id"] == headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1/donations/..%2f..", 401, "unauthenticated"),
        ("GET", "/%00", 404, "not_found"),
        ("DELETE", "/v1/donations", 405, "method_not_allowed"),
        ("GET", "/v1/donations", 405, "method_not_allowed"),
        ("GET", "/v1/webhooks/stripe/connect", 405, "method_not_allowed"),
        ("POST", "/v1/donations", 401, "unauthenticated"),
        ("GET", "/log/0/checkpoint", 404, "not_found"),
        ("GET", "/log/0/../../etc/passwd", 404, "not_found"),
        ("GET", "/log/0/tile/0/%2e%2e/%2e%2e/vkey", 404, "not_found"),
        ("GET", "/log/1/checkpoint", 404, "not_found"),
        ("GET", "/problems/nonsense", 404, "not_found"),
        ("GET", "/v1/public/organizations/nobody", 404, "organization_not_found"),
        ("GET", "/v1/public/organizations/nobody/ledger", 404, "organization_not_found"),
        ("GET", "/v1/public/organizations/nobody/members", 404, "not_found"),
        ("GET", "/v1/public/organizations/x?page=2", 422, "query_not_accepted"),
        ("GET", "/v1/public/organizations/x/ledger?limit=101", 422, "query_not_accepted"),
        ("GET", "/v1/public/organizations/x/ledger?limit=1&limit=2", 422, "query_not_accepted"),
    ],
)
async def test_every_error_is_a_problem(
    edge: Served, method: str, path: str, status: int, code: str
) -> None:
    found, headers, body = await raw(
        edge, f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()
    )
    assert (found, json.loads(body)["code"]) == (status, code)
    assert headers["content-type"] == "application/problem+json"
    if status == 405:
        assert headers["allow"]
    assert headers["cache-control"] == "no-store"


async def test_a_problem_is_explained_at_its_type(edge: Served) -> None:
    listed = (await edge.get("/problems")).json["data"]
    for problem in listed:
        path = problem["type"].removeprefix("http://edge.test")
        assert (await edge.get(path)).json == problem


async def test_request_ids_are_kept_when_well_formed_and_made_otherwise(edge: Served) -> None:
    given = (await edge.get("/livez", X_Request_Id="client-id.0001")).headers["X-Request-Id"]
    assert given == "client-id.0001"
    for bad in ("short", "x" * 65, "a b c d e f g h", "{'a': 'bcdefgh'}"):
        made = (await edge.get("/livez", X_Request_Id=bad)).headers["X-Request-Id"]
        assert made.startswith("req_")


async def test_headers_protect_and_do_not_advertise(stand: Stand, edge: Served) -> None:
    registered = await stand.register()
    posted = await edge.donate(gift(registered.id), registered.key.secret)
    shown = await edge.get(posted.headers["Location"], registered.key.secret)
    for answer in (posted, shown, await edge.get("/nowhere"), await edge.get("/livez")):
        assert answer.headers["Server"] == "amply"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "Authorization" in posted.headers["Vary"]
    assert "Authorization" in shown.headers["Vary"]
    assert "private" in shown.headers["Cache-Control"]


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Content_Type": "text/plain"}, 415, "unsupported_media_type"),
        ({"Content_Type": "application/json; charset=latin-1"}, 415, "unsupported_media_type"),
        ({"Content_Encoding": "gzip"}, 415, "unsupported_media_type"),
        ({"Expect": "the-impossible"}, 417, "expectation_failed"),
        ({"Idempotency_Key": ""}, 400, "idempotency_key_malformed"),
        ({"Idempotency_Key": "k" * 256}, 400, "idempotency_key_malformed"),
    ],
)
async def test_headers_that_a_gift_needs(
    stand: Stand, edge: Served, headers: dict[str, str], status: int, code: str
) -> None:
    registered = await stand.register()
    answer = await edge.donate(gift(registered.id), registered.key.secret, **headers)
    assert (answer.status, answer.code) == (status, code)
    assert await stand.stored(registered.id) == (0, 0, 0)


async def test_bodies_are_bounded_whether_announced_or_streamed(stand: Stand, edge: Served) -> None:
    registered = await stand.register()
    huge = b'{"x":"' + b"a" * 70_000 + b'"}'
    answer = await edge.donate(huge, registered.key.secret)
    assert (answer.status, answer.code) == (413, "body_too_large")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"a" * 5_000

    headers = {
        "Authorization": f"Bearer {registered.key.secret}",
        "Content-Type": "application/json",
        "Idempotency-Key": "k",
    }
    answer = await edge.ask("POST", "/v1/donations", data=chunks(), headers=headers)
    assert (answer.status, answer.code) == (413, "body_too_large")
    answer = await edge.ask("POST", "/v1/webhooks/stripe/connect", data=b"a" * 600_000)
    assert (answer.status, answer.code) == (413, "body_too_large")
    assert await stand.stored(registered.id) == (0, 0, 0)


async def test_a_gift_after_100_continue(stand: Stand, edge: Served) -> None:
    registered = await stand.register()
    headers = {"Expect": "100-continue"}
    assert (await edge.donate(gift(registered.id), registered.key.secret, **headers)).status == 202


async def test_health_and_figures(edge: Served) -> None:
    async def is_ready() -> bool:
        return (await edge.get("/readyz")).status == 200

    await until(is_ready, "the edge is ready")
    assert (await edge.get("/livez")).json == {"status": "live"}
    assert (await edge.get("/version")).json["environment"] == "test"
    text = (await edge.get("/metrics")).body.decode()
    assert 'amply_edge_requests_total{method="GET",outcome="ok",route="/livez"}' in text
    assert (await edge.get("/openapi.json")).json["openapi"] == "3.1.0"
