"""Each place and what it refuses: one row a reason, in every mode."""

from collections.abc import Mapping
from typing import get_args

import pytest

from contracts.environments import (
    DEVELOPMENT_KEY_MARK,
    DEVELOPMENT_MARK,
    RULES,
    Mode,
    mode_of,
    refusals,
    require_allowed,
)

#: A production that nothing is wrong with: the edge's settings, the workers', those of the CLI.
GOOD = {
    "AMPLY_MODE": "production",
    "AMPLY_POSTGRES": "postgresql://amply_edge:hidden@db.amply.org/amply?sslmode=verify-full",
    "AMPLY_KAFKA": "SASL_SSL://amply:hidden@kafka.amply.org:9093?ca=/etc/ca.pem",
    "AMPLY_SPICEDB": "tls://spicedb.amply.org:50051?ca=/etc/ca.pem",
    "AMPLY_SPICEDB_TOKEN": "hidden",
    "AMPLY_SMTP": "starttls://amply:hidden@mail.amply.org:587",
    "AMPLY_MASTER_KEY": "/keys/master",
    "AMPLY_LOG_PASSPHRASE": "/keys/passphrase",
    "AMPLY_LOG_ORIGIN": "log.amply.org/log/0",
    "AMPLY_MAIL_FROM": "Amply <receipts@amply.org>",
    "AMPLY_STRIPE_KEY": "sk_live_hidden",
    "AMPLY_STRIPE_PUBLISHABLE_KEY": "pk_live_shown",
    "AMPLY_STRIPE_CONNECT_SECRETS": "whsec_hidden",
    "AMPLY_URL": "https://api.amply.org",
    "AMPLY_HOST": "0.0.0.0",
    "AMPLY_PORT": "443",
    "AMPLY_TLS_CERTIFICATE": "/keys/tls.pem",
    "AMPLY_TLS_KEY": "/keys/tls.key",
    "AMPLY_LIMIT_GIFTS_PER_MINUTE": "500",
}
FILES = {
    "/keys/master": "ab" * 32 + "\n",
    "/keys/passphrase": "correct horse\n",
    "/keys/drawn": DEVELOPMENT_KEY_MARK + "ab" * 24 + "\n",
}


def read(path: str) -> str:
    if path not in FILES:
        raise FileNotFoundError(path)
    return FILES[path]


def told(changes: Mapping[str, str | None], mode: Mode = "production") -> list[str]:
    settings = {**GOOD, "AMPLY_MODE": mode, **changes}
    if mode != "production":
        settings |= {"AMPLY_STRIPE_KEY": "sk_test_h", "AMPLY_STRIPE_PUBLISHABLE_KEY": "pk_test_s"}
        settings |= changes
    return refusals({name: value for name, value in settings.items() if value is not None}, read)


@pytest.mark.parametrize("mode", RULES)
def test_good_settings_are_allowed_everywhere(mode: Mode) -> None:
    assert told({}, mode) == []


TEST_KEYS = {"AMPLY_STRIPE_KEY": "sk_test_x", "AMPLY_STRIPE_PUBLISHABLE_KEY": "pk_test_x"}
#: Changes, the setting that each sentence must begin with, the modes that refuse.
STRICT = ("staging", "production")
ROWS: list[tuple[dict[str, str | None], str, tuple[str, ...]]] = [
    ({"AMPLY_MASTER_KEY": "/keys/drawn"}, "AMPLY_MASTER_KEY holds", ("sandbox", *STRICT)),
    ({"AMPLY_LOG_PASSPHRASE": "/keys/drawn"}, "AMPLY_LOG_PASSPHRASE holds", ("sandbox", *STRICT)),
    (
        {"AMPLY_SPICEDB_TOKEN": DEVELOPMENT_MARK + "x"},
        "AMPLY_SPICEDB_TOKEN has",
        ("sandbox", *STRICT),
    ),
    (
        {"AMPLY_POSTGRES": f"postgresql://u:{DEVELOPMENT_MARK}x@db/d?sslmode=verify-full"},
        "AMPLY_POSTGRES has",
        ("sandbox", *STRICT),
    ),
    (
        {"AMPLY_POSTGRES_EDGE": "postgresql://u:development%2Dx@db/d?sslmode=verify-full"},
        "AMPLY_POSTGRES_EDGE has",
        ("sandbox", *STRICT),
    ),
    (
        {"AMPLY_KAFKA": f"SASL_SSL://u:{DEVELOPMENT_MARK}x@k:1"},
        "AMPLY_KAFKA has",
        ("sandbox", *STRICT),
    ),
    (
        {"AMPLY_STRIPE_CONNECT_SECRETS": "whsec_x,whsec_sandboxabc"},
        "AMPLY_STRIPE_CONNECT_SECRETS holds",
        ("sandbox", *STRICT),
    ),
    ({"AMPLY_LOG_ORIGIN": "amply.localhost/log/0"}, "AMPLY_LOG_ORIGIN", ("sandbox", *STRICT)),
    ({"AMPLY_MAIL_FROM": "x@amply.localhost"}, "AMPLY_MAIL_FROM", ("sandbox", *STRICT)),
    ({"AMPLY_POSTGRES": "postgresql://u:p@127.0.0.1/d"}, "AMPLY_POSTGRES reaches", STRICT),
    (
        {"AMPLY_POSTGRES": "postgresql://u:p@db/d?sslmode=require"},
        "AMPLY_POSTGRES reaches",
        ("sandbox", *STRICT),
    ),
    ({"AMPLY_KAFKA": "127.0.0.1:9092"}, "AMPLY_KAFKA reaches", STRICT),
    ({"AMPLY_KAFKA": "kafka:9092"}, "AMPLY_KAFKA reaches", ("sandbox", *STRICT)),
    ({"AMPLY_KAFKA": "kafka"}, "AMPLY_KAFKA is not", ("development", "sandbox", *STRICT)),
    ({"AMPLY_SPICEDB": "127.0.0.1:50051"}, "AMPLY_SPICEDB reaches", STRICT),
    ({"AMPLY_SMTP": "mail:25"}, "AMPLY_SMTP reaches", ("sandbox", *STRICT)),
    ({"AMPLY_URL": "http://api.amply.org"}, "AMPLY_URL is no https", ("sandbox", *STRICT)),
    ({"AMPLY_RETURN_URL": "http://a.org"}, "AMPLY_RETURN_URL is no https", ("sandbox", *STRICT)),
    ({"AMPLY_STRIPE": "https://stripe.evil.org"}, "AMPLY_STRIPE names", STRICT),
    ({"AMPLY_STRIPE": "http://stripe.evil.org"}, "AMPLY_STRIPE ", ("sandbox", *STRICT)),
    ({"AMPLY_TLS_CERTIFICATE": None}, "AMPLY_TLS_CERTIFICATE is not set", ("sandbox", *STRICT)),
    (
        {"AMPLY_TLS_CERTIFICATE": None, "AMPLY_HOST": "127.0.0.1"},
        "AMPLY_TLS_CERTIFICATE is not set",
        STRICT,
    ),
    (
        {"AMPLY_TRUSTED_PROXIES": "10.0.0.0/8, 0.0.0.0/0"},
        "AMPLY_TRUSTED_PROXIES trusts",
        ("sandbox", *STRICT),
    ),
    ({"AMPLY_TRUSTED_PROXIES": "::/1"}, "AMPLY_TRUSTED_PROXIES trusts", ("sandbox", *STRICT)),
    ({"AMPLY_STRIPE_KEY": "sk_test_x"}, "AMPLY_STRIPE_KEY is a key", ("production",)),
    ({"AMPLY_STRIPE_KEY": "rk_test_x"}, "AMPLY_STRIPE_KEY is a key", ("production",)),
    (
        {"AMPLY_STRIPE_PUBLISHABLE_KEY": "pk_test_x"},
        "AMPLY_STRIPE_PUBLISHABLE_KEY is a key",
        ("production",),
    ),
    (
        {"AMPLY_STRIPE_KEY": "sk_live_x"},
        "AMPLY_STRIPE_KEY is a key",
        ("development", "sandbox", "staging"),
    ),
    ({"AMPLY_FAILPOINT": "relay.deleted:1"}, "AMPLY_FAILPOINT makes", STRICT),
    ({"AMPLY_FAILPOINT_DIRECTORY": "/tmp"}, "AMPLY_FAILPOINT_DIRECTORY makes", STRICT),
    ({"AMPLY_LIMIT_GIFTS_PER_MINUTE": "0"}, "AMPLY_LIMIT_GIFTS_PER_MINUTE switches", STRICT),
    ({"AMPLY_LIMIT_ANY_OTHER": "000"}, "AMPLY_LIMIT_ANY_OTHER switches", STRICT),
    (
        {"AMPLY_LIMIT_EXEMPT_ADDRESSES": "0.0.0.0/0"},
        "AMPLY_LIMIT_EXEMPT_ADDRESSES exempts",
        STRICT,
    ),
]


@pytest.mark.parametrize("mode", RULES)
@pytest.mark.parametrize(("changes", "sentence", "refusing"), ROWS)
def test_a_mode_refuses_what_it_must_not_have(
    changes: dict[str, str | None], sentence: str, refusing: tuple[str, ...], mode: Mode
) -> None:
    found = told(changes, mode)
    if mode in refusing:
        assert [one for one in found if one.startswith(sentence)] == found != []
        assert "hidden" not in found[0]
        assert found[0].endswith(".")
    else:
        assert found == []


def test_a_development_platform_is_refused_in_production_by_every_sentence_at_once() -> None:
    settings = {
        "AMPLY_ENVIRONMENT": "live",
        "AMPLY_POSTGRES": f"postgresql://u:{DEVELOPMENT_MARK}x@127.0.0.1:1/amply",
        "AMPLY_KAFKA": "127.0.0.1:9092",
        "AMPLY_STRIPE_KEY": "sk_test_x",
        "AMPLY_MASTER_KEY": "/keys/drawn",
        "AMPLY_URL": "http://127.0.0.1:8420",
        "AMPLY_PORT": "8420",
    }
    found = refusals(settings, read)
    assert [sentence.split()[0] for sentence in found] == [
        "AMPLY_MASTER_KEY",
        "AMPLY_POSTGRES",
        "AMPLY_POSTGRES",
        "AMPLY_KAFKA",
        "AMPLY_URL",
        "AMPLY_TLS_CERTIFICATE",
        "AMPLY_STRIPE_KEY",
    ]
    with pytest.raises(ValueError, match="production refuses") as refused:
        require_allowed(settings, read)
    assert str(refused.value).splitlines()[1:] == [f"  {sentence}" for sentence in found]


def test_trusted_hops_stand_in_for_a_certificate() -> None:
    behind = {"AMPLY_TLS_CERTIFICATE": None, "AMPLY_TRUSTED_PROXIES": "10.0.0.0/8"}
    assert told(behind) == []


def test_a_worker_listens_nowhere_and_needs_no_certificate() -> None:
    assert told({"AMPLY_TLS_CERTIFICATE": None, "AMPLY_PORT": None}) == []


def test_a_secret_that_cannot_be_read_is_told_elsewhere() -> None:
    assert told({"AMPLY_MASTER_KEY": "/nowhere"}) == []


@pytest.mark.parametrize(
    ("variables", "mode"),
    [
        ({"AMPLY_ENVIRONMENT": "test"}, "development"),
        ({"AMPLY_ENVIRONMENT": "live"}, "production"),
        ({"AMPLY_MODE": "staging"}, "staging"),
        ({"AMPLY_MODE": "sandbox", "AMPLY_ENVIRONMENT": "test"}, "sandbox"),
        ({"AMPLY_MODE": "production", "AMPLY_ENVIRONMENT": "live"}, "production"),
    ],
)
def test_the_mode_is_told_by_either_name(variables: dict[str, str], mode: str) -> None:
    assert mode_of(variables) == mode


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({}, "AMPLY_MODE is not set"),
        ({"AMPLY_MODE": "Production"}, "AMPLY_MODE must be one of"),
        ({"AMPLY_ENVIRONMENT": "production"}, "AMPLY_ENVIRONMENT must be"),
        ({"AMPLY_MODE": "production", "AMPLY_ENVIRONMENT": "test"}, "AMPLY_ENVIRONMENT is `test`"),
        ({"AMPLY_MODE": "development", "AMPLY_ENVIRONMENT": "live"}, "AMPLY_ENVIRONMENT is `live`"),
    ],
)
def test_no_place_and_a_contradiction_start_nothing(variables: dict[str, str], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        refusals(variables, read)


def test_the_table_has_every_mode_and_only_production_is_live() -> None:
    assert set(RULES) == set(get_args(Mode))
    assert [mode for mode, rules in RULES.items() if rules.environment == "live"] == ["production"]
    assert [mode for mode, rules in RULES.items() if rules.moves_clock] == [
        "development",
        "sandbox",
    ]
