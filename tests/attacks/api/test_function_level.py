"""OWASP API5: every function has a right of its own; all others together do not open it."""

import pytest

from edge.organizations.relationships import SCOPES
from tests.attacks.api.world import World, guarded, made_up

GUARDED = guarded()


@pytest.mark.parametrize("identifier", GUARDED)
async def test_nobody_is_let_in_unnamed(world: World, identifier: str) -> None:
    operation, _ = GUARDED[identifier]
    parameters = {**made_up(operation), **_own(world, identifier)}
    answer = await world.ask(operation, parameters, None)
    assert (answer.status, answer.code) == (401, "unauthenticated")


@pytest.mark.parametrize("scope", sorted({access.scope for _, access in GUARDED.values()}))
async def test_a_key_with_all_scopes_but_one_has_not_what_that_one_opens(
    world: World, scope: str
) -> None:
    key = await world.key(world.a, *(name for name in SCOPES if name != scope))
    for identifier, (operation, access) in GUARDED.items():
        if access.scope == scope:
            parameters = {**made_up(operation), **_own(world, identifier)}
            answer = await world.ask(operation, parameters, key)
            assert (answer.status, answer.code) == (403, "scope_missing"), identifier


def _own(world: World, identifier: str) -> dict[str, str]:
    operation, _ = GUARDED[identifier]
    wanted = made_up(operation)
    return {name: value for name, value in world.a.owned.items() if name in wanted}
