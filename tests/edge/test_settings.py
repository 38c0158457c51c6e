from pathlib import Path

import pytest

from edge.settings import SettingsError, from_environment


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    key = tmp_path / "master"
    key.write_text("ab" * 32 + "\n")
    return {
        "AMPLY_POSTGRES": "postgresql://amply_edge:hidden@127.0.0.1/amply",
        "AMPLY_SPICEDB": "127.0.0.1:50051",
        "AMPLY_SPICEDB_TOKEN": "hidden",
        "AMPLY_MASTER_KEY": str(key),
        "AMPLY_STRIPE_CONNECT_SECRETS": "whsec_hidden_hidden_1, whsec_hidden_hidden_2",
        "AMPLY_ENVIRONMENT": "test",
        "AMPLY_PUBLIC": str(tmp_path),
        "AMPLY_LOG_ORIGIN": "amply.test/log/0",
        "AMPLY_URL": "https://amply.test/",
        "AMPLY_PORT": "8420",
    }


def test_settings_are_read_and_secrets_are_not_shown(environment: dict[str, str]) -> None:
    settings = from_environment(environment)
    assert settings.stripe_connect_secrets == ("whsec_hidden_hidden_1", "whsec_hidden_hidden_2")
    assert settings.stripe_account_secrets == (), "without secrets the endpoint is off"
    assert (settings.url, settings.host) == ("https://amply.test", "127.0.0.1")
    assert "hidden" not in repr(settings)
    assert "abab" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AMPLY_POSTGRES", ""),
        ("AMPLY_ENVIRONMENT", "production"),
        ("AMPLY_MODE", "live"),
        ("AMPLY_PORT", "http"),
        ("AMPLY_PORT", "70000"),
        ("AMPLY_URL", "amply.test"),
        ("AMPLY_LOG_ORIGIN", "https://amply.test"),
        ("AMPLY_MASTER_KEY", "/nowhere"),
        ("AMPLY_STRIPE_CONNECT_SECRETS", "whsec_hidden_hidden_1,"),
        ("AMPLY_STRIPE_ACCOUNT_SECRETS", ","),
        ("AMPLY_STRIPE_ACCOUNT_SECRETS", "short"),
        ("AMPLY_STRIPE_CONNECT_SECRETS", ",".join(f"whsec_hidden_hidden_{n}" for n in range(3))),
    ],
)
def test_a_wrong_setting_is_named(environment: dict[str, str], name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        from_environment(environment | {name: value})


def test_a_malformed_master_key_is_refused_unquoted(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "master").write_text("secret")
    with pytest.raises(SettingsError) as refused:
        from_environment(environment)
    assert "AMPLY_MASTER_KEY" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_production_tells_everything_that_it_refuses_at_once(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as refused:
        from_environment(environment | {"AMPLY_ENVIRONMENT": "live"})
    lines = str(refused.value).splitlines()
    assert lines[0] == "production refuses these settings:"
    assert [line.split()[0] for line in lines[1:]] == [
        "AMPLY_LOG_ORIGIN",
        "AMPLY_POSTGRES",
        "AMPLY_SPICEDB",
        "AMPLY_TLS_CERTIFICATE",
    ]
    assert "hidden" not in str(refused.value)


def test_a_live_mode_makes_the_environment_live_and_keeps_its_limits(
    environment: dict[str, str], tmp_path: Path
) -> None:
    environment |= {
        "AMPLY_POSTGRES": "postgresql://u:p@db/amply?sslmode=verify-full",
        "AMPLY_SPICEDB": "tls://spicedb:50051",
        "AMPLY_LOG_ORIGIN": "log.amply.org/log/0",
        "AMPLY_TRUSTED_PROXIES": "10.0.0.0/8",
        "AMPLY_MODE": "production",
        "AMPLY_ENVIRONMENT": "",
    }
    settings = from_environment(environment)
    assert settings.environment == "live"
    assert settings.limits.overall.most > 0
