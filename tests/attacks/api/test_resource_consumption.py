"""OWASP API4: what a request may cost is bounded before anything is done for it."""

import asyncio

import pytest

from edge.access import Access
from edge.operations import OPERATIONS
from edge.organizations.relationships import SCOPES
from tests.attacks.api.world import World, made_up

WITH_BODY = {one.identifier: one for one in OPERATIONS if one.method in ("post", "patch")}
#: A key is who asks here; pages for people alone are read by the same function (`edge/listing.py`).
WITH_LIMIT = {
    one.identifier: one
    for one in OPERATIONS
    if any(parameter["name"] == "limit" for parameter in one.parameters)
    and (one.scope is None or one.scope in SCOPES)
    and not (isinstance(one.access, Access) and one.access.is_for_persons)
}
NESTED = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
GREEDY = {
    "nested": NESTED,
    "a number of a million digits": b'{"amount_minor":' + b"9" * 1_000_000 + b"}",
    "a number that is astronomically large": b'{"amount_minor":1e999999999}',
    "ten thousand fields": b"{" + b",".join(b'"f%d":1' % n for n in range(10_000)) + b"}",
    "one long string": b'{"organization":"' + b"a" * 60_000 + b'"}',
    "one name many times": b"{" + b",".join([b'"a":1'] * 10_000) + b"}",
}


@pytest.mark.parametrize("kind", GREEDY)
async def test_a_greedy_body_is_refused_by_every_operation(world: World, kind: str) -> None:
    for identifier, operation in WITH_BODY.items():
        parameters = {
            name: world.a.owned.get(name, invented) for name, invented in made_up(operation).items()
        }
        headers = {"Content-Type": "application/json", "If-Match": "*"}
        answer = await world.ask(
            operation, parameters, world.a.secret, data=GREEDY[kind], headers=headers
        )
        assert 400 <= answer.status < 500, (identifier, answer.body)


@pytest.mark.parametrize("identifier", WITH_BODY)
async def test_a_body_that_announces_more_than_is_read_is_refused_unread(
    world: World, identifier: str
) -> None:
    operation = WITH_BODY[identifier]
    parameters = {
        name: world.a.owned.get(name, invented) for name, invented in made_up(operation).items()
    }
    path = operation.path.format(**parameters)
    head = (
        f"{operation.method.upper()} {path} HTTP/1.1\r\nHost: edge.test\r\n"
        f"Authorization: Bearer {world.a.secret}\r\nContent-Type: application/json\r\n"
        "Idempotency-Key: k\r\nIf-Match: *\r\nContent-Length: 99999999999\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", world.edge.port)
    try:
        writer.write(head.encode())
        async with asyncio.timeout(20):
            status = int((await reader.readline()).split()[1])
    finally:
        writer.close()
    assert status in (400, 401, 403, 404, 413), status


@pytest.mark.parametrize("identifier", WITH_LIMIT)
@pytest.mark.parametrize("limit", ["0", "-1", "101", "1000000", "1e2", "٣", "100 ", "", "0x10"])
async def test_a_page_is_no_longer_than_a_hundred(
    world: World, identifier: str, limit: str
) -> None:
    operation = WITH_LIMIT[identifier]
    parameters = {
        name: world.a.owned.get(name, invented) for name, invented in made_up(operation).items()
    }
    answer = await world.ask(operation, parameters, world.a.secret, params={"limit": limit})
    assert (answer.status, answer.code) in ((422, "query_not_accepted"), (404, answer.code))


async def test_a_query_of_many_names_is_refused(world: World) -> None:
    query = "&".join(f"a{number}=1" for number in range(1000))
    answer = await world.edge.get(f"/v1/public/organizations/{world.a.slug}?{query}")
    assert 400 <= answer.status < 500
    again = "&".join(["limit=1"] * 900)
    answer = await world.edge.get(f"/v1/public/organizations/{world.a.slug}/ledger?{again}")
    assert 400 <= answer.status < 500
