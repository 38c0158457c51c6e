"""Where the engines answer: what the starter hands out, and what a caller may give instead."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Addresses:
    """Everything a client needs. `postgres_dsn` is the superuser's; fields with secrets stay out
    of repr.
    """

    postgres_dsn: str
    kafka_bootstrap: str
    spicedb_endpoint: str
    spicedb_token: str

    def __repr__(self) -> str:
        return f"Addresses(kafka={self.kafka_bootstrap}, spicedb={self.spicedb_endpoint}, ...)"


@dataclass(frozen=True, slots=True, repr=False)
class GivenAddresses:
    """Engines that somebody else runs: one given here is neither fetched nor started.

    `postgres_dsn` needs a superuser (databases and roles are made with it); `spicedb_endpoint` is
    host:port and needs `spicedb_token`.
    """

    postgres_dsn: str | None = None
    kafka_bootstrap: str | None = None
    spicedb_endpoint: str | None = None
    spicedb_token: str | None = None

    def __post_init__(self) -> None:
        if (self.spicedb_endpoint is None) != (self.spicedb_token is None):
            raise ValueError(
                "a SpiceDB address needs its token, and a token its address: give both"
            )
