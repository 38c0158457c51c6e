"""Receipts: one entry, its openings, and the proof that it is in the log (C2SP tlog-proof).

Rules (ledger format, section 7): at most 1 MiB; `extra` is base64 of the canonical bytes of
`{"entry", "openings"}`; the checkpoint stands verbatim, cosignatures included.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from amply_verify.canonical import to_base64

RECEIPT_BYTES_MAX: Final = 1_048_576


class ReceiptError(ValueError):
    """The receipt cannot be written: it would be larger than 1 MiB."""


def render(
    entry: bytes, openings: Mapping[str, bytes], index: int, proof: Sequence[bytes], note: str
) -> bytes:
    """The bytes of a `.tlog-proof` file.

    `openings` maps sealed sections to the canonical JSON of their openings, for those sections that
    the receipt's reader may see; `proof` is the inclusion proof of `index` in the tree of `note`.
    """
    extra = b'{"entry":%b,"openings":%b}' % (spell_text(entry), spell_openings(openings))
    lines = [
        "c2sp.org/tlog-proof@v1",
        f"extra {base64.b64encode(extra).decode()}",
        f"index {index}",
        *map(to_base64, proof),
    ]
    receipt = ("\n".join(lines) + "\n\n" + note).encode()
    if len(receipt) > RECEIPT_BYTES_MAX:
        raise ReceiptError(f"a receipt has at most {RECEIPT_BYTES_MAX} bytes")
    return receipt


def spell_text(entry: bytes) -> bytes:
    """An entry's bytes as a canonical JSON string."""
    return orjson.dumps(entry.decode())


def spell_openings(openings: Mapping[str, bytes]) -> bytes:
    """Openings as a canonical JSON object."""
    return b"{%b}" % b",".join(
        b'"%b":%b' % (name.encode(), openings[name]) for name in sorted(openings)
    )
