"""Headers, logs and texts of requests: nothing that is sent ends a line, a header or a query."""

import asyncio
from itertools import product
from typing import Any

import orjson
import pytest

from edge.operations import OPERATIONS
from tests.attacks.api.world import World, made_up, names_in

#: Percent-encoded: NUL, broken UTF-8, a surrogate, line ends, quotes, a wildcard, a long one.
ODD = (
    *("%00", "a%00b", "%ff", "%ed%a0%80", "%0d%0aX-Evil:%201", "%27%20OR%201=1--", "%22", "%25"),
    *("%E2%80%AE", "..%2f", "%3Cscript%3E", "a" * 3000, "-1", "%2B1", "{}", "%7B0.__class__%7D"),
)
BY_IDENTIFIER = {one.identifier: one for one in OPERATIONS}


@pytest.mark.parametrize("identifier", BY_IDENTIFIER)
async def test_no_parameter_takes_what_breaks_a_header_or_a_query(
    world: World, identifier: str
) -> None:
    operation = BY_IDENTIFIER[identifier]
    known = {
        part: world.a.owned.get(part, invented) for part, invented in made_up(operation).items()
    }
    places = [
        (parameter["name"], parameter["in"])
        for parameter in operation.parameters
        if parameter["in"] in ("path", "query")
    ]
    for (name, where), odd in product(places, ODD):
        filled = {**known, name: odd} if where == "path" else known
        path = operation.path.format(**{part: filled[part] for part in names_in(operation)})
        query = f"?{name}={odd}" if where == "query" else ""
        status, headers = await raw(world, operation.method.upper(), path + query)
        assert status != 500, (name, odd)
        assert not any(line.lower().startswith(b"x-evil") for line in headers), odd


async def raw(world: World, method: str, target: str, **more: str) -> tuple[int, list[bytes]]:
    """One request, byte by byte as given; its status and header lines."""
    fields = {
        "Host": "edge.test",
        "Authorization": f"Bearer {world.a.secret}",
        "Idempotency-Key": "k",
        "Content-Type": "application/json",
        "Content-Length": "2",
        "Connection": "close",
        **more,
    }
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    reader, writer = await asyncio.open_connection("127.0.0.1", world.edge.port)
    try:
        writer.write("\r\n".join([*lines, "", "{}"]).encode("latin-1"))
        async with asyncio.timeout(30):
            answer = await reader.read()
    finally:
        writer.close()
    head = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")
    return int(head[0].split()[1]), head[1:]


FORGED = '{"event": "forged", "level": "info"}'


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("User-Agent", f"x%0d%0a{FORGED}"),
        ("User-Agent", f"x\u0085{FORGED}"),
        ("X-Request-Id", f"12345678%0a{FORGED}"),
        ("Idempotency-Key", f"k%0a{FORGED}"),
        ("traceparent", f"00-{'a' * 32}-{'b' * 16}-01%0a{FORGED}"),
        ("Origin", f"https://x%0a{FORGED}"),
        ("X-Forwarded-For", f"1.2.3.4%0a{FORGED}"),
        ("Accept-Language", FORGED),
    ],
)
async def test_a_header_adds_no_line_to_the_log(
    world: World, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    capsys.readouterr()
    target = f"/v1/donations/{world.a.owned['donation']}"
    await raw(world, "GET", target, **{name: value})
    printed = capsys.readouterr().out
    assert not any(_is_forged(line) for line in printed.splitlines()), printed


@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r", "\0"])
async def test_a_raw_line_end_in_a_header_is_no_part_of_it(
    world: World, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    """CR LF ends the field, as HTTP has it: what follows is another field, or malformed."""
    capsys.readouterr()
    target = f"/v1/donations/{world.a.owned['donation']}"
    status, _ = await raw(world, "GET", target, **{"User-Agent": f"x{ending}{FORGED}"})
    assert status in (200, 400)
    if ending != "\n":
        assert status == 400
    assert not any(_is_forged(line) for line in capsys.readouterr().out.splitlines())


def _is_forged(line: str) -> bool:
    try:
        value: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line.strip() == FORGED
    return isinstance(value, dict) and value.get("event") == "forged"
