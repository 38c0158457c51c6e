"""Entries (sections 2, 3 and 5): reading one, judging it, and the seals that hide its sections.

An entry is judged alone: its place in the chain, its references and the inside of `money` are the
steps of an export or an audit. Hashes are taken of the bytes given, never of bytes made again.
"""

import re
from collections.abc import Mapping, Set
from datetime import date
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from amply_verify import canonical
from amply_verify.errors import CanonicalError, EntryError
from amply_verify.kinds import KINDS, VISIBILITIES, is_hash

ENTRY_BYTES_MAX = 65_535
SALT_BYTES = 32
DETAILS_DEPTH_MAX = 4
SECTIONS = ("money", "details", "donor")

_SUFFIX = "[0-7][0-9a-hjkmnp-tv-z]{25}"
is_entry_id = re.compile(f"ent_{_SUFFIX}").fullmatch
is_organization_id = re.compile(f"org_{_SUFFIX}").fullmatch
_is_time = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"
).fullmatch
_SEAL_DOMAIN = b"amply/ledger/v1/"


class Entry(NamedTuple):
    """A valid entry. Hashes and seals are hex; a section is shown, sealed or absent.

    `shown` maps section names to the objects in clear, `seals` to their seals.
    """

    id: str
    org: str
    seq: int
    prev: str | None
    kind: str
    time: str
    visibility: str
    public_after: str | None
    ref: str | None
    shown: dict[str, dict[str, Any]]
    seals: dict[str, str]


class Opening(NamedTuple):
    """An opened section: 32 bytes of salt and the object."""

    salt: bytes
    value: dict[str, Any]


def parse_entry(text: bytes | str, origin: str | None = None) -> Entry:
    """The entry in canonical bytes; raises EntryError (also for text that is not canonical).

    With `origin`, a genesis must name it.
    """
    size = len(text) if isinstance(text, bytes) else len(text.encode(errors="surrogatepass"))
    if size > ENTRY_BYTES_MAX:
        raise EntryError(f"an entry has at most {ENTRY_BYTES_MAX} bytes")
    try:
        value = canonical.parse(text)
    except CanonicalError as error:
        raise EntryError(f"the entry is not canonical: {error}") from error
    return check_entry(value, origin)


def check_entry(value: object, origin: str | None = None) -> Entry:
    """The entry in a canonical value; raises EntryError. Its size is for the caller to check."""
    if type(value) is not dict:
        raise EntryError("an entry is an object")
    name = value.get("kind")
    kind = KINDS.get(name) if type(name) is str else None
    if kind is None:
        raise EntryError("the kind is unknown")
    visibility = value.get("visibility")
    if type(visibility) is not str or visibility not in VISIBILITIES:
        raise EntryError("the visibility is unknown")
    public_after = _check_fields(value, visibility, kind.required, kind.allowed)
    if kind.full and visibility != "public_full":
        raise EntryError(f"a {name} is always public_full")
    _check_identity(value)
    shown, seals = _sections(value, visibility)
    if kind.check_details is not None:
        kind.check_details(shown["details"])
        if origin is not None and name == "genesis" and shown["details"]["origin"] != origin:
            raise EntryError("the genesis names another log")
    return Entry(
        value["id"],
        value["org"],
        value["seq"],
        value["prev"],
        name,  # type: ignore[arg-type]  # a str, or the table of kinds would not have had it
        value["time"],
        visibility,
        public_after,
        value.get("ref"),
        shown,
        seals,
    )


def seal(section: str, salt: bytes, value_bytes: bytes) -> str:
    """The seal (hex) of a section's canonical bytes under a fresh random 32-byte salt."""
    return sha256(b"%b%b\n%b%b" % (_SEAL_DOMAIN, section.encode(), salt, value_bytes)).hexdigest()


def check_opening(entry: Entry, section: str, opening: object) -> Opening:
    """The opening of one sealed section of `entry`; raises EntryError when it does not fit.

    The inside of `money` is for the caller to check.
    """
    expected = entry.seals.get(section)
    if expected is None:
        raise EntryError(f"{section} is no sealed section of this entry")
    if type(opening) is not dict or opening.keys() != {"salt", "value"}:
        raise EntryError("an opening has a salt and a value and nothing else")
    value = opening["value"]
    try:
        salt = canonical.from_base64(opening["salt"])
    except CanonicalError as error:
        raise EntryError(f"the salt of {section} is not strict base64") from error
    if len(salt) != SALT_BYTES:
        raise EntryError(f"the salt of {section} does not have {SALT_BYTES} bytes")
    if type(value) is not dict or "sealed" in value:
        raise EntryError(f"the opened {section} is no object of a section")
    if section == "details":
        _check_depth(value)
    if seal(section, salt, canonical.encode(value)) != expected:
        raise EntryError(f"the opening of {section} does not match its seal")
    return Opening(salt, value)


def open_sections(
    entry: Entry, openings: Mapping[str, object], salts: dict[bytes, int]
) -> dict[str, dict[str, Any]]:
    """The opened sections of `entry`; raises EntryError when an opening does not fit.

    `salts` leads from every salt met so far to the seq of its entry: none may be met again.
    """
    opened: dict[str, dict[str, Any]] = {}
    for section, value in openings.items():
        opening = check_opening(entry, section, value)
        if opening.salt in salts:
            raise EntryError(f"the salt of {section} is used twice")
        salts[opening.salt] = entry.seq
        opened[section] = opening.value
    return opened


def is_time(value: object) -> bool:
    """Whether `value` is a time of the format: 27 characters, UTC, microseconds, a real date."""
    return type(value) is str and _is_time(value) is not None and _is_date(value[:10])


@lru_cache(maxsize=1024)
def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _check_fields(
    value: dict[str, Any], visibility: str, required: frozenset[str], allowed: frozenset[str]
) -> str | None:
    """Check the set of fields; returns `public_after`."""
    fields: Set[str] = value.keys()
    public_after = None
    if visibility == "delayed_public":
        if not is_time(value.get("public_after")):
            raise EntryError("delayed_public needs public_after, a time")
        public_after = str(value["public_after"])
        fields = fields - {"public_after"}
    if not fields >= required:
        raise EntryError(f"the field {min(required - fields)} is missing")
    if not fields <= allowed:
        raise EntryError(f"the field {min(fields - allowed)!r} is not allowed in this entry")
    return public_after


def _check_identity(value: dict[str, Any]) -> None:
    version, seq, prev, ref = value["v"], value["seq"], value["prev"], value.get("ref")
    if type(version) is not int or version != 1:
        raise EntryError("v is not 1")
    if type(value["id"]) is not str or is_entry_id(value["id"]) is None:
        raise EntryError("the id is not ent_ and a TypeID suffix")
    if type(value["org"]) is not str or is_organization_id(value["org"]) is None:
        raise EntryError("org is not org_ and a TypeID suffix")
    if type(seq) is not int or seq < 0:
        raise EntryError("seq is not a number from 0 on")
    if (value["kind"] == "genesis") != (seq == 0):
        raise EntryError("a genesis is exactly what has seq 0")
    if (prev is None) != (seq == 0):
        raise EntryError("prev is null exactly at seq 0")
    if prev is not None and (type(prev) is not str or is_hash(prev) is None):
        raise EntryError("prev is not a hash in lower-case hex")
    if not is_time(value["time"]):
        raise EntryError("the time is not of the form YYYY-MM-DDTHH:MM:SS.ffffffZ")
    if "ref" in value and (type(ref) is not str or is_entry_id(ref) is None):
        raise EntryError("ref is not ent_ and a TypeID suffix")


def _sections(
    value: dict[str, Any], visibility: str
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    shown: dict[str, dict[str, Any]] = {}
    seals: dict[str, str] = {}
    for name in SECTIONS:
        if name not in value:
            continue
        section = value[name]
        if type(section) is not dict:
            raise EntryError(f"{name} is not an object")
        if name == "donor" or visibility != "public_full":
            digest = section.get("sealed")
            if len(section) != 1 or type(digest) is not str or is_hash(digest) is None:
                raise EntryError(f"{name} is not sealed, as it must be here")
            seals[name] = digest
        else:
            if "sealed" in section:
                raise EntryError(f"{name} is not shown, as it must be with public_full")
            shown[name] = section
            if name == "details":
                _check_depth(section)
    return shown, seals


def _check_depth(details: dict[str, Any]) -> None:
    if canonical.depth(details, DETAILS_DEPTH_MAX) > DETAILS_DEPTH_MAX:
        raise EntryError(f"details nest deeper than {DETAILS_DEPTH_MAX}")
