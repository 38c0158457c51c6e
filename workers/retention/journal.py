"""The journal of erasures: who was forgotten, kept outside the database and its backups.

Rules: a line is on disk before the erasure that it tells of commits; lines are added, never
changed; a line holds random ids, a time and a code, no person. A backup that is restored remembers
whom the journal names, until it is applied again.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from contracts.identifiers import parse_type_id

_PREFIXES: Final = {"organization": "org", "person": "usr", "profile": "prof"}
_FIELDS_OF_PERSON: Final = {"basis", "forgotten_at", "person"}
_FIELDS: Final = {"basis", "forgotten_at", "organization", "profile"}


class JournalError(RuntimeError):
    """The journal cannot be trusted; the text says which line. Restore the file from its copy."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """One forgotten profile: `organization` `org_…`, `profile` `prof_…`, why, and when."""

    organization: str
    profile: str
    basis: str
    forgotten_at: datetime

    def line(self) -> bytes:
        """The journal's line: a JSON object, its keys sorted, ended by LF."""
        moment = self.forgotten_at.astimezone(UTC).isoformat()
        fields = {
            "basis": self.basis,
            "forgotten_at": moment,
            "organization": self.organization,
            "profile": self.profile,
        }
        return json.dumps(fields).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class PersonErasure:
    """Somebody who signed in (`usr_…`) and is forgotten, why, and when."""

    person: str
    basis: str
    forgotten_at: datetime

    def line(self) -> bytes:
        """The journal's line, as that of a donor."""
        moment = self.forgotten_at.astimezone(UTC).isoformat()
        fields = {"basis": self.basis, "forgotten_at": moment, "person": self.person}
        return json.dumps(fields).encode() + b"\n"


class Journal:
    """A file of erasures; it need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, erasure: Erasure | PersonErasure) -> None:
        """Append a line and return when it is on disk, with the folder that names the file."""
        with self._locked() as descriptor:
            # A line without its end was being written when its machine died: that erasure was not
            # committed, nor reported.
            content = self.path.read_bytes()
            os.truncate(descriptor, content.rfind(b"\n") + 1)
            os.write(descriptor, erasure.line())
            os.fsync(descriptor)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def read(self) -> list[Erasure]:
        """Every erasure of a donor, oldest first; JournalError when a whole line is not one."""
        return [one for one in self._all() if isinstance(one, Erasure)]

    def read_people(self) -> list[PersonErasure]:
        """Every erasure of a person, oldest first; JournalError when a whole line is not one."""
        return [one for one in self._all() if isinstance(one, PersonErasure)]

    def _all(self) -> list[Erasure | PersonErasure]:
        if not self.path.exists():
            return []
        *lines, _torn = self.path.read_bytes().split(b"\n")
        return [_parse(line, self.path, number) for number, line in enumerate(lines, 1)]

    @contextmanager
    def _locked(self) -> Iterator[int]:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        descriptor = os.open(self.path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)


def _parse(line: bytes, path: Path, number: int) -> Erasure | PersonErasure:
    try:
        fields = json.loads(line)
        is_person = fields.keys() == _FIELDS_OF_PERSON
        if not (is_person or fields.keys() == _FIELDS) or not isinstance(fields["basis"], str):
            raise ValueError("other fields")
        for name, prefix in _PREFIXES.items():
            if name in fields:
                parse_type_id(prefix, fields[name])
        moment = datetime.fromisoformat(fields["forgotten_at"])
        if moment.tzinfo is None:
            raise ValueError("a time without offset")
    except (ValueError, TypeError, AttributeError) as error:
        raise JournalError(f"line {number} of {path} is no erasure: restore the file") from error
    if is_person:
        return PersonErasure(fields["person"], fields["basis"], moment)
    return Erasure(fields["organization"], fields["profile"], fields["basis"], moment)
