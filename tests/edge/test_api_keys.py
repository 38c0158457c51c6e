import re

import pytest

from edge import api_keys
from edge.settings import Environment


@pytest.mark.parametrize("environment", ["test", "live"])
def test_a_minted_key_has_the_form_that_scanners_know(environment: Environment) -> None:
    key = api_keys.mint(environment)
    assert re.fullmatch(rf"ampk_{environment}_[0-9A-Za-z]{{38}}", key)
    assert api_keys.environment_of(key.encode()) == environment
    assert api_keys.mint(environment) != key


def test_every_changed_character_breaks_the_checksum() -> None:
    key = api_keys.mint("test")
    for position in range(len("ampk_test_"), len(key)):
        other = "a" if key[position] != "a" else "b"
        changed = key[:position] + other + key[position + 1 :]
        assert api_keys.environment_of(changed.encode()) is None


def test_a_key_of_one_environment_cannot_be_relabelled() -> None:
    key = api_keys.mint("test")
    assert api_keys.environment_of(key.replace("_test_", "_live_").encode()) is None


@pytest.mark.parametrize("token", [b"", b"ampk_test_", "ampk_test_café".encode(), b"\xff" * 48])
def test_anything_else_is_no_key(token: bytes) -> None:
    assert api_keys.environment_of(token) is None


def test_the_stored_hash_depends_on_the_key_outside_the_database() -> None:
    token = api_keys.mint("live").encode()
    hashes = {api_keys.secret_hash(bytes(32), token), api_keys.secret_hash(b"x" * 32, token)}
    assert len(hashes) == 2
    assert all(len(one) == 32 and token not in one for one in hashes)
