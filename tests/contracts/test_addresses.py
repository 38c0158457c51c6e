"""Addresses of engines: what they say, and how an engine is reached by them."""

import pytest

from contracts.addresses import Address, parse, reach_of


@pytest.mark.parametrize(
    ("text", "engine", "expected"),
    [
        ("127.0.0.1:9092", "kafka", Address("", (("127.0.0.1", 9092),))),
        ("a:1,[2001:db8::1]:2", "kafka", Address("", (("a", 1), ("2001:db8::1", 2)))),
        (
            "SASL_SSL://amply:p%40ss%3Aw@a.test:9093,b.test:9094?ca=/etc/ca.pem",
            "kafka",
            Address(
                "SASL_SSL",
                (("a.test", 9093), ("b.test", 9094)),
                "amply",
                "p@ss:w",
                {"ca": "/etc/ca.pem"},
            ),
        ),
        (
            "SSL://a:1?certificate=c.pem&key=k.pem",
            "kafka",
            Address("SSL", (("a", 1),), options={"certificate": "c.pem", "key": "k.pem"}),
        ),
        ("tls://spicedb:50051", "spicedb", Address("tls", (("spicedb", 50051),))),
        ("starttls://u:p@mail:587", "smtp", Address("starttls", (("mail", 587),), "u", "p")),
    ],
)
def test_an_address_says_how_an_engine_is_reached(
    text: str, engine: str, expected: Address
) -> None:
    assert parse(text, engine) == expected
    assert "p@ss" not in repr(parse(text, engine))


@pytest.mark.parametrize(
    ("text", "engine", "reason"),
    [
        ("nowhere", "kafka", "host:port"),
        ("a:0", "kafka", "host:port"),
        ("a:65536", "kafka", "host:port"),
        ("a:٣", "kafka", "host:port"),
        ("a:1,", "kafka", "host:port"),
        ("ssl://a:1", "kafka", "SSL://"),
        ("PLAINTEXT://a:1", "kafka", "SSL://"),
        ("://a:1", "kafka", "SSL://"),
        ("u:hidden@a:1", "kafka", "in clear"),
        ("SASL_SSL://u@a:1", "kafka", "without password"),
        ("SSL://a:1?verify=no", "kafka", "options other than ca, certificate, key"),
        ("SSL://a:1?ca=a&ca=b", "kafka", "options other"),
        ("SSL://a:1?ca", "kafka", "query"),
        ("SSL://a:1?key=k", "kafka", "without certificate"),
        ("a:1?ca=x", "kafka", "options other than none"),
        ("a:1,b:2", "spicedb", "more than one"),
    ],
)
def test_a_malformed_address_is_refused_and_its_secret_not_told(
    text: str, engine: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        parse(text, engine)
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "engine", "reach"),
    [
        ("127.0.0.1:9092", "kafka", "plain_on_loopback"),
        ("127.0.0.1:9092,kafka:9092", "kafka", "plain"),
        ("SSL://kafka:9093", "kafka", "encrypted"),
        ("localhost:50051", "spicedb", "plain_on_loopback"),
        ("spicedb:50051", "spicedb", "encrypted"),  # Never in clear: the client refuses to.
        ("mail:25", "smtp", "plain"),
        ("starttls://mail:587", "smtp", "encrypted"),
        ("postgresql://u:p@127.0.0.1:5432/d", "postgres", "plain_on_loopback"),
        ("postgresql://u:p@/d?host=/run/postgresql", "postgres", "plain_on_loopback"),
        ("postgresql://u:p@127.0.0.1:1,db:2/d", "postgres", "plain"),
        ("postgresql://u:p@[::1]:5432/d", "postgres", "plain_on_loopback"),
        ("postgresql://u:p@db/d?sslmode=require", "postgres", "plain"),
        ("postgresql://u:p@db/d?sslmode=verify-ca&sslrootcert=x", "postgres", "plain"),
        ("postgresql://u:p@db/d?sslmode=verify-full&sslrootcert=x", "postgres", "encrypted"),
        ("postgresql://u:p@db/d?sslmode=verify-full&sslmode=disable", "postgres", "plain"),
    ],
)
def test_only_who_proves_who_it_is_counts_as_encrypted(text: str, engine: str, reach: str) -> None:
    assert reach_of(text, engine) == reach
