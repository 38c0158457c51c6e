"""Settings of the provider of identities, and of its small pure rules."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from edge.sessions.decisions import is_local_path, origin_of
from edge.tokens.settings import load

URL = "https://give.example.org"
GIVEN = {
    "AMPLY_OIDC_ISSUER": "https://login.example.org/realms/one",
    "AMPLY_OIDC_CLIENT_ID": "amply",
}


def refusal(environment: Mapping[str, str], *, url: str = URL, plain: bool = False) -> str:
    with pytest.raises(ValueError) as caught:
        load(environment, url=url, allows_plain_http=plain)
    return str(caught.value)


def test_nothing_set_means_that_nobody_signs_in() -> None:
    assert load({}, url="http://anywhere", allows_plain_http=False) is None


def test_what_is_left_out_has_a_default() -> None:
    settings = load(GIVEN, url=URL, allows_plain_http=False)
    assert settings is not None
    assert (settings.audience, settings.step_up, settings.client_secret) == (URL, ("mfa",), None)


def test_a_secret_comes_from_a_file_and_is_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("very-secret\n")
    given = {**GIVEN, "AMPLY_OIDC_CLIENT_SECRET_FILE": str(file), "AMPLY_OIDC_STEP_UP_ACR": "a b"}
    settings = load(given, url=URL, allows_plain_http=False)
    assert settings is not None
    assert (settings.client_secret, settings.step_up) == ("very-secret", ("a", "b"))
    assert "very-secret" not in repr(settings)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"AMPLY_OIDC_ISSUER": ""}, "AMPLY_OIDC_CLIENT_ID is set without"),
        ({"AMPLY_OIDC_ISSUER": "http://login.example.org"}, "AMPLY_OIDC_ISSUER"),
        ({"AMPLY_OIDC_ISSUER": "http://127.0.0.1:8080"}, "AMPLY_OIDC_ISSUER"),
        ({"AMPLY_OIDC_ISSUER": "https://login.example.org?x=1"}, "AMPLY_OIDC_ISSUER"),
        ({"AMPLY_OIDC_CLIENT_ID": ""}, "AMPLY_OIDC_CLIENT_ID"),
        ({"AMPLY_OIDC_STEP_UP_ACR": 'a"b'}, "AMPLY_OIDC_STEP_UP_ACR"),
        ({"AMPLY_OIDC_CLIENT_SECRET_FILE": "/nowhere/at/all"}, "cannot be read"),
        ({"AMPLY_OIDC_CLIENT_SECRET_FILE": "/dev/null"}, "is empty"),
        (
            {"AMPLY_OIDC_CLIENT_SECRET_FILE": "/dev/null", "AMPLY_OIDC_CLIENT_SECRET": "x"},
            "not both",
        ),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, str], named: str) -> None:
    assert named in refusal({**GIVEN, **change})


def test_plain_http_is_for_this_machine_where_it_is_allowed() -> None:
    local = {**GIVEN, "AMPLY_OIDC_ISSUER": "http://localhost:1234"}
    assert load(local, url="http://127.0.0.1:8420", allows_plain_http=True) is not None
    assert "AMPLY_URL" in refusal(GIVEN, url="http://127.0.0.1:8420")
    assert "AMPLY_URL" in refusal(GIVEN, url="http://give.example.org", plain=True)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://give.example.org", "https://give.example.org"),
        ("https://give.example.org:443/base", "https://give.example.org"),
        ("https://GIVE.example.org:8443", "https://give.example.org:8443"),
        ("http://127.0.0.1:8420", "http://127.0.0.1:8420"),
        ("http://[::1]:8420/", "http://[::1]:8420"),
    ],
)
def test_an_origin_is_spelled_as_browsers_do(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    ("path", "is_local"),
    [
        ("/", True),
        ("/a?b=c#d", True),
        ("//host", False),
        ("/\\host", False),
        ("/a\\b", False),
        ("/\thost", False),
        ("/\n/host", False),
        ("/ü", False),
        ("", False),
        ("a", False),
        ("https://host", False),
        ("/a b", False),
    ],
)
def test_only_a_path_of_this_host_is_returned_to(path: str, is_local: bool) -> None:
    assert is_local_path(path) is is_local
