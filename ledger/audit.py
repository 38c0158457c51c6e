"""Records of who did what, chained per organization as entries are, by the same code.

Rules: a record is canonical JSON, hashed as a leaf (ledger format, section 2); `seq` counts from 0
without gaps and `prev` is the hash before. What is personal, the client's network, is a seal in the
record (section 3); its opening lies beside it and can be deleted without changing a hash. What has
no organization is in the chain named `platform`.
"""

import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, Final, NamedTuple

from amply_verify import canonical
from amply_verify.entry import SALT_BYTES, is_time, seal
from amply_verify.errors import CanonicalError
from amply_verify.kinds import is_hash
from amply_verify.tree import leaf_hash
from ledger import keys
from ledger.entry import spell_time

PURPOSE: Final = "audit"
#: The chain of what has no organization.
PLATFORM: Final = "platform"
EXPORT_FORMAT: Final = "amply/audit-export/v1"
_SECTION: Final = "client"
#: Of an IPv4 and of an IPv6 address these bits are kept.
_NETWORK_BITS: Final = {4: 24, 6: 48}
_TEXTS: Final = ("action", "credential", "code", "request", "resource")
_FIELDS: Final = frozenset(
    {"v", "org", "seq", "prev", "time", "occurred", "actor", "outcome", "times", "before", "after"}
    | set(_TEXTS)
)
_OUTCOMES: Final = frozenset({"done", "denied", "read"})


class Sealed(NamedTuple):
    """A client's network: the seal (64 hex digits), and the opening, encrypted."""

    seal: str
    ciphertext: bytes


class Deed(NamedTuple):
    """What somebody did, was refused (`code` says why) or read, `times` over.

    `action` is the operation's identifier; `before` and `after` are SHA-256 in hex.
    """

    organization: str
    occurred_at: datetime
    actor_kind: str
    actor: str
    credential: str | None
    action: str
    resource: str | None
    request: str | None
    outcome: str
    code: str | None
    times: int
    before: str | None
    after: str | None
    client: Sealed | None


class Head(NamedTuple):
    """The end of a chain: the last record's position and hash; seq -1 before the first."""

    seq: int
    hash: bytes | None


class Record(NamedTuple):
    """A deed with its place in its chain."""

    deed: Deed
    seq: int
    recorded_at: datetime
    data: bytes
    hash: bytes


class AuditError(ValueError):
    """A chain is not what was recorded; `seq` is the first position concerned."""

    def __init__(self, seq: int, message: str) -> None:
        super().__init__(message)
        self.seq = seq


EMPTY: Final = Head(-1, None)


@lru_cache(maxsize=1_024)
def network_of(address: str) -> str | None:
    """The network that stands for a client's address; None for what is no address."""
    try:
        read = ip_address(address.partition("/")[0].partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(read, "ipv4_mapped", None)
    read = mapped or read
    return str(ip_network((read, _NETWORK_BITS[read.version]), strict=False))


def seal_client(network: str, key: bytes) -> Sealed:
    """Seal a client's network under a fresh salt, and encrypt the opening, bound to the seal."""
    salt = secrets.token_bytes(SALT_BYTES)
    value = canonical.encode({"network": network})
    made = seal(_SECTION, salt, value)
    opening = b'{"salt":"%b","value":%b}' % (canonical.to_base64(salt).encode(), value)
    return Sealed(made, keys.encrypt(key, opening, made.encode()))


def open_client(sealed: Sealed, key: bytes) -> dict[str, Any]:
    """The opening `{"salt", "value": {"network"}}`; DecryptionError when it is another's."""
    opening: dict[str, Any] = canonical.parse(
        keys.decrypt(key, sealed.ciphertext, sealed.seal.encode())
    )
    return opening


def chain(
    deeds: Iterable[Deed], heads: Mapping[str, Head], moment: datetime
) -> tuple[list[Record], dict[str, Head]]:
    """Give each deed its place after the heads, all recorded at `moment`; the heads that moved."""
    records: list[Record] = []
    moved: dict[str, Head] = {}
    for deed in deeds:
        head = moved.get(deed.organization) or heads.get(deed.organization, EMPTY)
        data = _spell(deed, head, moment)
        record = Record(deed, head.seq + 1, moment, data, leaf_hash(data))
        moved[deed.organization] = Head(record.seq, record.hash)
        records.append(record)
    return records, moved


def _spell(deed: Deed, head: Head, moment: datetime) -> bytes:
    fields: dict[str, Any] = {
        "v": 1,
        "org": deed.organization,
        "seq": head.seq + 1,
        "prev": head.hash.hex() if head.hash is not None else None,
        "time": spell_time(moment),
        "occurred": spell_time(deed.occurred_at),
        "actor": {"id": deed.actor, "kind": deed.actor_kind},
        "credential": deed.credential,
        "action": deed.action,
        "resource": deed.resource,
        "request": deed.request,
        "outcome": deed.outcome,
        "code": deed.code,
        "times": deed.times,
        "before": deed.before,
        "after": deed.after,
    }
    if deed.client is not None:
        fields[_SECTION] = {"sealed": deed.client.seal}
    return canonical.encode(fields)


class Chain:
    """Verifies a chain record by record, from `start` on (what was kept of dropped months)."""

    def __init__(self, organization: str, start: Head = EMPTY) -> None:
        self._organization = organization
        self.head = start
        self.opened = 0

    def take(self, data: bytes, opening: object = None) -> dict[str, Any]:
        """The next record's fields; AuditError when anything about it is not as recorded."""
        seq = self.head.seq + 1
        fields = _parse(data, seq)
        if fields["org"] != self._organization:
            raise AuditError(seq, "is of another organization")
        if fields["seq"] != seq:
            raise AuditError(seq, f"is missing: the next one is {fields['seq']}")
        prev = self.head.hash.hex() if self.head.hash is not None else None
        if fields["prev"] != prev:
            raise AuditError(seq, "does not continue the record before it")
        if opening is not None:
            self._open(fields, seq, opening)
        self.head = Head(seq, leaf_hash(data))
        return fields

    def _open(self, fields: dict[str, Any], seq: int, opening: object) -> None:
        try:
            if type(opening) is not dict or opening.keys() != {"salt", "value"}:
                raise AuditError(seq, "has an opening of another form")
            salt, value = canonical.from_base64(opening["salt"]), canonical.encode(opening["value"])
        except CanonicalError as error:
            raise AuditError(seq, "has an opening that is not canonical") from error
        sealed = fields.get(_SECTION, {}).get("sealed")
        if len(salt) != SALT_BYTES or seal(_SECTION, salt, value) != sealed:
            raise AuditError(seq, "has an opening that does not match its seal")
        self.opened += 1

    def end(self, head: Head) -> None:
        """AuditError unless the chain ends where it is known to."""
        if self.head.seq < head.seq:
            raise AuditError(self.head.seq + 1, f"is missing, and all up to {head.seq}")
        if self.head != head:
            raise AuditError(head.seq, "is not the chain's known end")


def _parse(data: bytes, seq: int) -> dict[str, Any]:
    try:
        fields = canonical.parse(data)
    except CanonicalError as error:
        raise AuditError(seq, "is not canonical") from error
    if type(fields) is not dict or fields.keys() - {_SECTION} != _FIELDS:
        raise AuditError(seq, "has other fields than a record")
    is_fine = (
        fields["v"] == 1
        and type(fields["seq"]) is int
        and fields["outcome"] in _OUTCOMES
        and type(fields["times"]) is int
        and fields["times"] > 0
        and all(is_time(fields[name]) for name in ("time", "occurred"))
        and all(fields[name] is None or type(fields[name]) is str for name in _TEXTS)
        and all(_is_digest(fields[name]) for name in ("before", "after"))
        and type(fields["actor"]) is dict
        and fields["actor"].keys() == {"id", "kind"}
    )
    if not is_fine:
        raise AuditError(seq, "has a value that no record has")
    return fields


def _is_digest(value: object) -> bool:
    return value is None or (type(value) is str and is_hash(value) is not None)


def head_of(text: str) -> Head:
    """The head in `SEQ:HASH`, as a check tells it; ValueError for another text."""
    seq, _, digest = text.partition(":")
    if not seq.isdecimal() or is_hash(digest) is None:
        raise ValueError("a head has the form SEQ:HASH, the hash in 64 hexadecimal digits")
    return Head(int(seq), bytes.fromhex(digest))
