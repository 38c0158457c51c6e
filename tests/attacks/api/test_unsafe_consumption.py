"""OWASP API10: what Stripe's signature vouches for is still read as if it were anything."""

import json
import os
import random
from typing import Any

import orjson

from tests.edge.stand import Served, Stand
from tests.edge.test_webhooks import connected, event, send

SEED = int(os.environ.get("AMPLY_FUZZ_SEED", "6"))
MUTANTS = 150
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**63, 2**70, 1e300, -0.0, "", "\0", "Ana\0B", "a" * 5000, "\u202e"),
    *("'; DROP TABLE edge.requests; --", "../../etc", "acct_x\r\nX: y", [], {}, [[]], {"a": {}}),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, by the keys that lead there."""
    found = [path] if path else []
    parts: list[Any] = []
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    return found + [place for key, part in parts for place in places(part, (*path, key))]


def mutant(value: Any, choose: random.Random) -> Any:
    """The value with one to three of its places removed or made odd."""
    made = orjson.loads(orjson.dumps(value))
    for _ in range(choose.randint(1, 3)):
        path = choose.choice(places(value))
        inner = made
        for key in path[:-1]:
            inner = inner.get(key, {}) if isinstance(inner, dict) else {}
        if not isinstance(inner, dict):
            continue
        if choose.random() < 0.2:
            inner.pop(path[-1], None)
        else:
            inner[path[-1]] = choose.choice(ODD)
    return made


def spelled(value: Any) -> bytes:
    """JSON by a lenient writer: numbers beyond 64 bits too."""
    return json.dumps(value, ensure_ascii=True).encode()


async def test_a_signed_event_of_any_shape_is_taken_and_breaks_nothing(
    stand: Stand, edge: Served
) -> None:
    print(f"AMPLY_FUZZ_SEED={SEED}")
    _, account = await connected(stand)
    choose = random.Random(SEED)
    whole = orjson.loads(event(account))
    for _ in range(MUTANTS):
        made = mutant(whole | {"id": f"evt_{choose.randbytes(12).hex()}"}, choose)
        answer = await send(edge, spelled(made))
        assert answer.status == 200, (made, answer.body)
    assert (await send(edge, event(account))).status == 200, "the next good one goes through"


async def test_signed_bytes_that_are_no_event_are_taken_or_refused_but_crash_nothing(
    edge: Served,
) -> None:
    bodies: list[bytes] = [
        b"",
        b"null",
        b"[]",
        b"1",
        b'"evt_1"',
        b"{",
        b"\xff\xfe",
        b'{"id":"evt_1"}',
    ]
    for body in (*bodies, b"[" * 100_000, b'{"id":"evt_1","id":"evt_2"}'):
        answer = await send(edge, body)
        assert answer.status in (200, 400, 413), (body[:40], answer.body)
