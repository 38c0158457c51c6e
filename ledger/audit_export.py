"""A copy of an organization's audit log, one canonical JSON object a line, and its verification.

Line 1: `{"after", "format", "head", "org"}`; `after` is where dropped months ended, `head` the end,
each `{"hash", "seq"}`. Every further line: `{"record"}`, the record's exact text, and `client`, the
opening of its client, where it is kept. Nothing else is needed to verify a copy.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from amply_verify import canonical
from amply_verify.errors import CanonicalError
from amply_verify.kinds import is_hash
from ledger.audit import EXPORT_FORMAT, AuditError, Chain, Head, Sealed, open_client
from ledger.entry import spell_time
from ledger.keys import DecryptionError

LINE_BYTES_MAX: Final = canonical.LINE_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Verified:
    """A chain that holds: of whom, how many records, how many with an opening, where it ends."""

    organization: str
    records: int
    opened: int
    head: Head


def first_line(organization: str, after: Head, head: Head) -> bytes:
    """The first line of a copy, with its LF."""
    fields = {
        "after": _spell(after),
        "format": EXPORT_FORMAT,
        "head": _spell(head),
        "org": organization,
    }
    return canonical.encode(fields) + b"\n"


def line_of(row: Mapping[str, Any], key: bytes) -> bytes:
    """A stored record (`bytes`, and the sealed `client` or None) as a line, with its LF."""
    data = bytes(row["bytes"])
    fields: dict[str, Any] = {"record": data.decode()}
    opening = opening_of(data, row["client"], key)
    if opening is not None:
        fields["client"] = opening
    return canonical.encode(fields) + b"\n"


def opening_of(data: bytes, client: bytes | None, key: bytes) -> dict[str, Any] | None:
    """The opening of a record's client; None when there is none, or none any more."""
    if client is None:
        return None
    sealed = canonical.parse(data).get("client", {}).get("sealed", "")
    return open_client(Sealed(sealed, client), key)


def verify(lines: Iterable[bytes], known: Head | None = None) -> Verified:
    """Verify a copy; `known` is a head seen before, which must be in it.

    AuditError: the first position that is not as recorded, -1 for line 1.
    """
    walk = iter(lines)
    organization, after, head = _first(next(walk, b""))
    chain = Chain(organization, after)
    for line in walk:
        try:
            fields = canonical.parse(line.rstrip(b"\n"))
            if type(fields) is not dict or not {"record"} <= fields.keys() <= {"record", "client"}:
                raise CanonicalError("other fields")
            data = fields["record"].encode()
        except (CanonicalError, AttributeError) as error:
            raise AuditError(chain.head.seq + 1, "is no line of a copy") from error
        chain.take(data, fields.get("client"))
        _meet(chain, known)
    chain.end(head)
    if known is not None and known.seq > head.seq:
        raise AuditError(known.seq, "was there before and is missing")
    return Verified(organization, head.seq - after.seq, chain.opened, head)


def check_stored(chain: Chain, row: Mapping[str, Any], key: bytes | None) -> None:
    """The next record as PostgreSQL has it: its bytes, and the columns made of them.

    Without a key, openings are not looked at. AuditError.
    """
    seq, data = row["seq"], bytes(row["bytes"])
    opening = None
    if key is not None:
        try:
            opening = opening_of(data, row["client"], key)
        except (DecryptionError, CanonicalError, AttributeError) as error:
            raise AuditError(seq, "has a client that does not belong to it") from error
    fields = chain.take(data, opening)
    columns = {
        "seq": fields["seq"],
        "actor": fields["actor"]["id"],
        "action": fields["action"],
        "resource": fields["resource"],
    }
    for name, value in columns.items():
        if row[name] != value:
            raise AuditError(seq, f"has another {name} beside its bytes")
    if spell_time(row["recorded_at"]) != fields["time"]:
        raise AuditError(seq, "has another time beside its bytes")
    if bytes(row["hash"]) != chain.head.hash:
        raise AuditError(seq, "has another hash beside its bytes")


def _meet(chain: Chain, known: Head | None) -> None:
    if known is not None and chain.head.seq == known.seq and chain.head != known:
        raise AuditError(known.seq, "is not the record that was there before")


def _first(line: bytes) -> tuple[str, Head, Head]:
    try:
        fields = canonical.parse(line.rstrip(b"\n"))
        if fields["format"] != EXPORT_FORMAT or len(fields) != 4:
            raise CanonicalError("another format")
        return str(fields["org"]), _read(fields["after"]), _read(fields["head"])
    except (CanonicalError, KeyError, TypeError, ValueError) as error:
        raise AuditError(-1, "line 1 is not that of a copy") from error


def _spell(head: Head) -> dict[str, Any]:
    return {"hash": head.hash.hex() if head.hash is not None else None, "seq": head.seq}


def _read(fields: dict[str, Any]) -> Head:
    digest = fields["hash"]
    if digest is not None and is_hash(digest) is None:
        raise ValueError("no hash")
    if (digest is None) != (fields["seq"] == -1) or type(fields["seq"]) is not int:
        raise ValueError("no head")
    return Head(fields["seq"], None if digest is None else bytes.fromhex(digest))
