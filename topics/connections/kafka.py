"""What Kafka's clients are told to get in: servers, TLS, and who we are (KIP-12, RFC 5802)."""

from typing import Any, Final

from contracts.addresses import Address, parse
from topics.connections.tls import client_context

MECHANISMS: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256")


def read(address: str) -> Address:
    """Kafka's address; ValueError completes "the setting ..."."""
    known = parse(address, "kafka")
    if (known.scheme == "SASL_SSL") != (known.user is not None):
        raise ValueError("needs user and password for SASL_SSL, and none for SSL")
    if mechanism_of(known) not in MECHANISMS:
        raise ValueError(f"names a mechanism that is none of {', '.join(MECHANISMS)}")
    return known


def mechanism_of(address: Address) -> str:
    """The SASL mechanism of an address; others would send the password itself."""
    return address.options.get("mechanism", MECHANISMS[0])


def client_options(address: str) -> dict[str, Any]:
    """Options of any of aiokafka's clients. Files are read now; OSError when one cannot be."""
    known = read(address)
    options: dict[str, Any] = {"bootstrap_servers": known.servers}
    if known.scheme:
        options |= {
            "security_protocol": known.scheme,
            "ssl_context": client_context(known.options),
        }
    if known.user is not None:
        options |= {
            "sasl_mechanism": mechanism_of(known),
            "sasl_plain_username": known.user,
            "sasl_plain_password": known.password,
        }
    return options
