"""OWASP API2: a key serves in one place, spelled as it was issued, and nowhere else."""

import base64

import pytest

from tests.attacks.api.world import World


async def test_a_key_serves_in_the_authorization_header_only(world: World) -> None:
    path = f"/v1/donations/{world.a.owned['donation']}"
    secret = world.a.secret
    assert (await world.edge.get(path, secret)).status == 200
    basic = base64.b64encode(f"{secret}:".encode()).decode()
    for headers in (
        {"Authorization": secret},
        {"Authorization": f"Basic {basic}"},
        {"Authorization": f"Token {secret}"},
        {"Authorization": f"Bearer  {secret[:-1]}"},
        {"Authorization": f"Bearer {secret}, Bearer {secret}"},
        {"X-Api-Key": secret},
        {"Proxy-Authorization": f"Bearer {secret}"},
        {"Cookie": f"api_key={secret}; session={secret}; __Host-amply={secret}"},
    ):
        answer = await world.edge.ask("GET", path, headers=headers)
        assert (answer.status, answer.code) == (401, "unauthenticated"), headers
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    for name in ("api_key", "access_token", "key"):
        assert (await world.edge.get(f"{path}?{name}={secret}")).status in (401, 422)


@pytest.mark.parametrize("wrong", ["café", "é" * 40, "ampk_test_\u00a0", "a" * 7000])
async def test_whatever_is_no_key_is_answered_alike(world: World, wrong: str) -> None:
    path = f"/v1/donations/{world.a.owned['donation']}"
    nobody = await world.edge.get(path)
    answer = await world.edge.ask(
        "GET", path, headers={"Authorization": f"Bearer {wrong}".encode().decode("latin-1")}
    )
    assert (answer.status, answer.code) in ((401, nobody.code), (400, "malformed_request"))


async def test_two_authorization_headers_are_no_authorization(world: World) -> None:
    path = f"/v1/donations/{world.a.owned['donation']}"
    headers = [
        ("Authorization", f"Bearer {world.b.secret}"),
        ("Authorization", f"Bearer {world.a.secret}"),
    ]
    answer = await world.edge.ask("GET", path, headers=headers)
    assert answer.status in (400, 401)
