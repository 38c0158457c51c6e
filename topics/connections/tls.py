"""TLS towards the engines: they prove by a certificate that they are who the address names."""

import ssl
from collections.abc import Mapping


def client_context(options: Mapping[str, str]) -> ssl.SSLContext:
    """What checks a server's certificate and name, by the options of its address.

    `ca` is a file of authorities, without it the system's; `certificate` and `key` prove who we
    are. OSError (ssl.SSLError is one) when a file cannot be used. At least TLS 1.2 (RFC 9325).
    """
    context = ssl.create_default_context(cafile=options.get("ca"))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if "certificate" in options:
        context.load_cert_chain(options["certificate"], options["key"])
    return context
