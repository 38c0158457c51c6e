"""How SpiceDB is reached: by TLS, or in clear on this machine; always with the preshared key."""

from pathlib import Path
from typing import Any

from grpcutil import bearer_token_credentials, insecure_bearer_token_credentials

from contracts.addresses import parse


def credentials(address: str, token: str) -> tuple[str, Any]:
    """`host:port` and gRPC's channel credentials for it.

    `tls://` is TLS everywhere; a plain address is in clear on loopback and TLS elsewhere, by the
    system's authorities. ValueError when the address is malformed, OSError when its `ca` cannot be
    read.
    """
    known = parse(address, "spicedb")
    if not known.scheme and known.is_local:
        return known.servers, insecure_bearer_token_credentials(token)
    authority = known.options.get("ca")
    chain = Path(authority).read_bytes() if authority else None
    return known.servers, bearer_token_credentials(token, chain)
