"""Compose an entry: its exact bytes, its leaf hash, and the openings of what it seals.

Rules (ledger format, sections 2 to 5): `money` and `details` are shown exactly when the visibility
is `public_full`, else sealed under a fresh salt each; `donor` arrives sealed. The bytes are made
once, judged by the verifier's own code, and never made again.
"""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from amply_verify import canonical
from amply_verify import entry as verifier
from amply_verify.errors import EntryError
from amply_verify.money import Line, MoneyReader
from amply_verify.tree import leaf_hash

DrawSalt = Callable[[str], bytes]
"""The name of a section -> 32 fresh random bytes."""

_Section = tuple[str, dict[str, Any]]


class DonorSeal(NamedTuple):
    """A donor sealed at the edge: the seal (hex), the opening encrypted under a profile's key."""

    profile: str
    seal: str
    ciphertext: str


class Request(NamedTuple):
    """What shall be recorded, in JSON values; `public_after` as a time of the format."""

    id: str
    organization: str
    kind: str
    visibility: str
    public_after: str | None
    ref: str | None
    subject: str | None
    postings: list[dict[str, str]] | None
    details: dict[str, Any] | None
    donor: DonorSeal | None


class Opening(NamedTuple):
    """An opening to keep: `plain` (canonical JSON) of money and details, else a ciphertext."""

    section: str
    plain: bytes | None
    profile: str | None
    ciphertext: str | None


class Composed(NamedTuple):
    """A valid entry: `data` are its bytes.

    `postings` are its money, shown or sealed: fund, account and currency with minor units.
    """

    data: bytes
    leaf_hash: bytes
    openings: list[Opening]
    postings: list[tuple[Line, int]]


def spell_time(moment: datetime) -> str:
    """A time in the format's 27 characters, `YYYY-MM-DDTHH:MM:SS.ffffffZ`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def parse_time(text: str) -> datetime:
    """The inverse of `spell_time`."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def draw_salt(section: str) -> bytes:
    """A fresh random salt."""
    return secrets.token_bytes(verifier.SALT_BYTES)


class Composer:
    """Composes entries of one log; keeps only which account names it has seen to be well-formed."""

    def __init__(self, origin: str, draw: DrawSalt = draw_salt) -> None:
        self._origin = origin
        self._draw = draw
        self._money = MoneyReader()

    def compose(self, request: Request, seq: int, prev: str | None, time: str) -> Composed:
        """The entry of a request at `seq` of its chain, after the entry with leaf hash `prev`.

        Raises a child of InvalidError (EntryError, MoneyError, CanonicalError): what is wrong.
        """
        fields: dict[str, Any] = {
            "v": 1,
            "id": request.id,
            "org": request.organization,
            "seq": seq,
            "prev": prev,
            "kind": request.kind,
            "time": time,
            "visibility": request.visibility,
        }
        if request.public_after is not None:
            fields["public_after"] = request.public_after
        if request.ref is not None:
            fields["ref"] = request.ref
        openings: list[Opening] = []
        if request.donor is not None:
            fields["donor"] = {"sealed": request.donor.seal}
            openings.append(Opening("donor", None, request.donor.profile, request.donor.ciphertext))
        sections, postings = self._sections(request)
        if request.visibility == "public_full":
            fields |= dict(sections)
            verifier.check_entry(fields, self._origin)
        else:
            salts = {name: self._draw(name) for name, _ in sections}
            for name, value in sections:
                fields[name] = {"sealed": verifier.seal(name, salts[name], _spell(value))}
            parsed = verifier.check_entry(fields, self._origin)
            openings += [_open(parsed, *section, salts[section[0]]) for section in sections]
        data = _spell(fields)
        if len(data) > verifier.ENTRY_BYTES_MAX:
            raise EntryError(f"an entry has at most {verifier.ENTRY_BYTES_MAX} bytes")
        return Composed(data, leaf_hash(data), openings, postings)

    def _sections(self, request: Request) -> tuple[list[_Section], list[tuple[Line, int]]]:
        # The sections are all that may hold anything; once they are known to have a canonical form,
        # and the other fields pass the verifier's patterns, orjson writes the canonical bytes.
        sections: list[_Section] = []
        postings: list[tuple[Line, int]] = []
        if request.postings is not None:
            money = {"postings": request.postings}
            postings = self._money.parse(money).amounts_minor
            sections.append(("money", money))
        if request.details is not None:
            canonical.encode(request.details)
            sections.append(("details", request.details))
        return sections, postings


def _spell(value: dict[str, Any]) -> bytes:
    """The canonical bytes of a value that is known to have some, faster than the verifier's."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _open(entry: verifier.Entry, section: str, value: dict[str, Any], salt: bytes) -> Opening:
    spelled = canonical.to_base64(salt)
    verifier.check_opening(entry, section, {"salt": spelled, "value": value})
    plain = b'{"salt":"%b","value":%b}' % (spelled.encode(), _spell(value))
    return Opening(section, plain, None, None)
