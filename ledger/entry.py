"""Compose an entry: its exact bytes, its leaf hash, and the openings of what it seals.

Rules (ledger format, sections 2 to 5): `money` and `details` are shown exactly when the visibility
is `public_full`, else sealed under a fresh salt each; `donor` arrives sealed. The bytes are made
once, judged by the verifier's own code, and never made again.
"""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson

from amply_verify import canonical
from amply_verify import entry as verifier
from amply_verify.errors import CanonicalError, EntryError
from amply_verify.kinds import KINDS, is_hash
from amply_verify.money import Line, MoneyReader
from amply_verify.tree import leaf_hash

DrawSalt = Callable[[str], bytes]
"""The name of a section -> 32 fresh random bytes."""

#: Different sets of keys that a composer remembers; requests may bring any number of them.
_REMEMBERED_MAX: Final = 4096


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


_is_time = lru_cache(maxsize=16)(verifier.is_time)  # All entries of a batch have one time.


@lru_cache(maxsize=8192)  # Few organizations have many entries.
def is_organization_id(text: str) -> bool:
    """Whether an organization's id has the format's form."""
    return verifier.is_organization_id(text) is not None


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
    """Composes entries of one log, judged by the verifier's own code.

    Entries repeat a handful of forms for ever. What the verifier accepted once is remembered: the
    form of an entry (its kind, visibility and which fields it has) and the keys of its details. An
    entry of known form with flat details of known keys is valid when its few own values are, and
    only these are looked at; every other one is judged as a whole.
    """

    def __init__(self, origin: str, draw: DrawSalt = draw_salt) -> None:
        self._origin = origin
        self._draw = draw
        self._money = MoneyReader()
        self._forms: set[_Form] = set()
        self._keys: set[tuple[str, ...]] = set()

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
        donor, details = request.donor, request.details
        if donor is not None:
            fields["donor"] = {"sealed": donor.seal}
            openings.append(Opening("donor", None, donor.profile, donor.ciphertext))
        postings: list[tuple[Line, int]] = []
        if request.postings is not None:
            fields["money"] = {"postings": request.postings}
            postings = self._money.parse(fields["money"]).amounts_minor
        flat = details is None or self._is_flat(details)
        if details is not None:
            if not flat:
                canonical.encode(details)
            fields["details"] = details
        if request.visibility != "public_full":
            self._seal(fields, openings)
        if not flat or not self._is_of_known_form(request, seq, prev, time):
            self._judge(request, fields, openings)
        data = _spell(fields)
        if len(data) > verifier.ENTRY_BYTES_MAX:
            raise EntryError(f"an entry has at most {verifier.ENTRY_BYTES_MAX} bytes")
        return Composed(data, leaf_hash(data), openings, postings)

    def _seal(self, fields: dict[str, Any], openings: list[Opening]) -> None:
        for name in ("money", "details"):
            if name in fields:
                salt, value = self._draw(name), _spell(fields[name])
                fields[name] = {"sealed": verifier.seal(name, salt, value)}
                plain = b'{"salt":"%b","value":%b}' % (canonical.to_base64(salt).encode(), value)
                openings.append(Opening(name, plain, None, None))

    def _judge(self, request: Request, fields: dict[str, Any], openings: list[Opening]) -> None:
        """Let the verifier judge the entry and its openings as they will be stored."""
        parsed = verifier.check_entry(fields, self._origin)
        for opening in openings:
            if opening.plain is not None:
                verifier.check_opening(parsed, opening.section, canonical.parse(opening.plain))
        if request.details is not None and len(self._keys) < _REMEMBERED_MAX:
            self._keys.add(tuple(request.details))
        # Prescribed details and a time to open at are judged by their values, each time.
        if KINDS[request.kind].check_details is None and request.public_after is None:
            self._forms.add(_form_of(request))

    def _is_flat(self, details: dict[str, Any]) -> bool:
        """Whether details of known keys hold nothing but scalars that have a canonical form."""
        if tuple(details) not in self._keys:
            return False
        for value in details.values():
            kind = type(value)
            if kind is str:
                if "\0" in value:
                    return False
            elif kind is int:
                if not -canonical.INTEGER_MAX <= value <= canonical.INTEGER_MAX:
                    return False
            elif value is not None and kind is not bool:
                return False
        return True

    def _is_of_known_form(self, request: Request, seq: int, prev: str | None, time: str) -> bool:
        """Whether the verifier accepted this form, and all that differs is as it must be."""
        return (
            _form_of(request) in self._forms
            and seq > 0
            and prev is not None
            and is_hash(prev) is not None
            and _is_time(time)
            and verifier.is_entry_id(request.id) is not None
            and is_organization_id(request.organization)
            and (request.ref is None or verifier.is_entry_id(request.ref) is not None)
            and (request.donor is None or is_hash(request.donor.seal) is not None)
        )


_Form = tuple[str, str, bool, bool, bool, bool, bool]


def _form_of(request: Request) -> _Form:
    """All that the verifier's table of kinds and visibilities looks at."""
    return (
        request.kind,
        request.visibility,
        request.public_after is None,
        request.ref is None,
        request.postings is None,
        request.details is None,
        request.donor is None,
    )


def _spell(value: dict[str, Any]) -> bytes:
    """The canonical bytes of a value that is known to have some, faster than the verifier's.

    Only a lone surrogate is left to find here.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise CanonicalError("a string holds a lone surrogate") from error
