"""Stripe-Signature: any of our secrets with any of its signatures, within 300 seconds both ways.

Source: Stripe, "Verify webhook signatures manually": `t=<seconds>,v1=<hex HMAC-SHA256 of
"<t>.<body>">`, several v1 while a secret is rolled. Stripe's own library accepts any future time.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Final

from edge.errors import ProblemError

TOLERANCE_S: Final = 300
_HEADER_LENGTH_MAX: Final = 4096
_SIGNATURES_MAX: Final = 20
_TIME: Final = re.compile(r"[0-9]{1,12}")


def verify(headers: Sequence[str], body: bytes, secrets: Sequence[str], now_s: float) -> int:
    """The number of the secret that signed `body`; ProblemError 400 when none did, or not now."""
    time_s, signatures = _parse(headers)
    signed = str(time_s).encode() + b"." + body
    matching = None
    for number, secret in enumerate(secrets):
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
        # Every pair is compared, so that the time taken tells nothing.
        for signature in signatures:
            if hmac.compare_digest(signature, expected) and matching is None:
                matching = number
    if matching is None:
        raise ProblemError("signature_wrong")
    if abs(now_s - time_s) > TOLERANCE_S:
        raise ProblemError("signature_out_of_time")
    return matching


def _parse(headers: Sequence[str]) -> tuple[int, list[bytes]]:
    if len(headers) != 1 or len(headers[0]) > _HEADER_LENGTH_MAX:
        raise ProblemError("signature_malformed")
    times: list[str] = []
    signatures: list[bytes] = []
    for part in headers[0].split(","):
        name, separator, value = part.strip().partition("=")
        if not separator:
            raise ProblemError("signature_malformed")
        if name == "t":
            times.append(value)
        elif name == "v1":
            signatures.append(value.encode("utf-8", "surrogateescape"))
    if len(times) != 1 or not _TIME.fullmatch(times[0]) or str(int(times[0])) != times[0]:
        raise ProblemError("signature_malformed")
    if not 1 <= len(signatures) <= _SIGNATURES_MAX:
        raise ProblemError("signature_malformed")
    return int(times[0]), signatures
