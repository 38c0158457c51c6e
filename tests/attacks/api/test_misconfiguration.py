"""OWASP API8: nothing is served by accident, and what goes wrong tells nothing about us."""

import re

import pytest

from edge.operations import OPERATIONS
from tests.attacks.api.world import World, made_up
from tests.edge.stand import Stand

METHODS = ("PUT", "TRACE", "CONNECT", "PROPFIND", "PATCH", "DELETE", "POST", "GET")


async def test_a_method_that_a_path_has_not_is_refused_with_those_that_it_has(
    world: World,
) -> None:
    known: dict[str, set[str]] = {}
    for operation in OPERATIONS:
        known.setdefault(operation.path, set()).add(operation.method.upper())
    for operation in OPERATIONS:
        path = operation.path.format(**made_up(operation))
        for method in METHODS:
            if method in known[operation.path] or method == "CONNECT":
                continue
            answer = await world.edge.ask(method, path)
            assert answer.status in (404, 405), (method, operation.path)
            if answer.status == 405:
                allowed = set(re.split(r",\s*", answer.headers["Allow"])) - {"HEAD", "OPTIONS"}
                assert allowed == known[operation.path]


async def test_no_header_changes_the_method_the_path_or_our_links(world: World) -> None:
    path = f"/v1/donations/{world.a.owned['donation']}"
    plain = await world.edge.get(path, world.a.secret)
    for name, value in (
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Original-URL", "/metrics"),
        ("X-Rewrite-URL", "/metrics"),
        ("X-Forwarded-Host", "evil.test"),
        ("X-Forwarded-Prefix", "/evil"),
        ("Forwarded", "host=evil.test"),
        ("Host", "evil.test"),
    ):
        answer = await world.edge.get(path, world.a.secret, **{name: value})
        assert answer.body == plain.body, name
    answer = await world.edge.get("/v1/nowhere", Host="evil.test")
    assert b"evil" not in answer.body


@pytest.mark.parametrize(
    "path",
    [
        "/log/0/../../keys/master.key",
        "/log/0/%2e%2e/%2e%2e/etc/passwd",
        "/log/0/..%2f..%2fetc/passwd",
        "/log/0/tile//etc/passwd",
        "/log/0/%00",
        "/log/0/tile/0/%2e%2e%5c",
        "/.env",
        "/.git/config",
        "/admin",
        "/debug",
        "/console",
        "/server-status",
        "/v1",
        "//evil.test/",
    ],
)
async def test_there_is_nothing_beside_what_is_served(world: World, path: str) -> None:
    answer = await world.edge.get(path)
    assert answer.status in (400, 404), answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_an_unforeseen_error_shows_none_of_its_insides(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:

    async def fail(self: object, request: object) -> None:
        raise RuntimeError("the password is hidden, at /opt/amply/secret.py")

    monkeypatch.setattr("edge.routes.public.PublicRoutes.organization", fail)
    async with stand.serve() as edge:
        answer = await edge.get("/v1/public/organizations/amply")
    assert (answer.status, answer.code) == (500, "internal")
    for part in (b"hidden", b"secret", b"RuntimeError", b"Traceback", b"aiohttp", b"Python"):
        assert part not in answer.body
        assert part.decode() not in str(answer.headers)
