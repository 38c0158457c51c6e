"""Signed notes and checkpoints: C2SP signed-note, tlog-checkpoint and tlog-cosignature (Ed25519).

Rules: a line of an unknown key is ignored, a wrong signature of a known key refuses the whole note,
also beside a right one; a line that is not of the form refuses it too; at most 100 signature lines.
"""

import binascii
import re
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from amply_verify.canonical import INTEGER_MAX, from_base64, to_base64
from amply_verify.errors import CanonicalError, NoteError

ED25519 = 0x01
COSIGNATURE = 0x04
SIGNATURE_LINES_MAX = 100

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIZE = re.compile(r"0|[1-9][0-9]{0,15}").fullmatch
_KEY_ID = re.compile(r"[0-9a-f]{8}").fullmatch


class VerifierKey(NamedTuple):
    """A public key as signed-note names it; `key_id` has 4 bytes, an Ed25519 `public` 32."""

    name: str
    key_id: bytes
    algorithm: int
    public: bytes

    def __str__(self) -> str:
        key = to_base64(bytes([self.algorithm]) + self.public)
        return f"{self.name}+{self.key_id.hex()}+{key}"


class Checkpoint(NamedTuple):
    """A signed tree head: origin, number of leaves, root hash."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The three lines that are signed, the last line feed included."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n"


class Signature(NamedTuple):
    """One signature line: `payload` is what follows the 4 bytes of the key id."""

    name: str
    key_id: bytes
    payload: bytes


class Cosignature(NamedTuple):
    """A witness's verified cosignature; `time_s` in seconds since the epoch."""

    name: str
    key_id: bytes
    time_s: int


def verifier_key(name: str, public: bytes, algorithm: int = ED25519) -> VerifierKey:
    """The verifier key of 32 public bytes under `name`, which has no white space and no "+"."""
    _check_name(name)
    digest = sha256(name.encode() + b"\n" + bytes([algorithm]) + public).digest()
    return VerifierKey(name, digest[:4], algorithm, public)


def parse_verifier_key(text: str) -> VerifierKey:
    """`<name>+<8 hex>+<base64>` as a key; raises NoteError.

    The key id of the Ed25519 types is recomputed. Source: C2SP signed-note, verifier keys.
    """
    name, first, rest = text.partition("+")
    key_id, second, encoded = rest.partition("+")
    if not first or not second or _KEY_ID(key_id) is None:
        raise NoteError("a verifier key looks like name+0123abcd+base64")
    _check_name(name)
    try:
        data = from_base64(encoded)
    except CanonicalError as error:
        raise NoteError("the verifier key is not base64") from error
    if len(data) < 2:
        raise NoteError("the verifier key holds no key")
    algorithm, public = data[0], data[1:]
    if algorithm in (ED25519, COSIGNATURE):
        if len(public) != 32:
            raise NoteError("an Ed25519 verifier key holds 32 bytes")
        if verifier_key(name, public, algorithm).key_id.hex() != key_id:
            raise NoteError("the verifier key's id is not that of its key")
    return VerifierKey(name, binascii.unhexlify(key_id), algorithm, public)


class Signer:
    """Signs checkpoints with a 32-byte Ed25519 seed under a key name.

    With `COSIGNATURE` it signs as a witness does, else as a log does.
    """

    def __init__(self, name: str, seed: bytes, algorithm: int = ED25519) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.key = verifier_key(name, self._private.public_key().public_bytes_raw(), algorithm)

    def line(self, text: str, time_s: int | None = None) -> str:
        """The signature line over a note text; `time_s` is for cosignatures, and only for them."""
        if (time_s is not None) != (self.key.algorithm == COSIGNATURE):
            raise NoteError("a cosignature carries a time, a log's signature does not")
        payload = b"" if time_s is None else time_s.to_bytes(8)
        payload += self._private.sign(_message(text, time_s))
        return f"\u2014 {self.key.name} {to_base64(self.key.key_id + payload)}\n"

    def sign(self, checkpoint: Checkpoint) -> str:
        """The checkpoint as a signed note."""
        return f"{checkpoint.text}\n{self.line(checkpoint.text)}"


def split_note(note: str) -> tuple[str, list[Signature]]:
    """The signed text (with its last line feed) and the signature lines of a note.

    Raises NoteError when the note or one of its lines is not of signed-note's form.
    """
    _check_unicode(note)
    blank = note.rfind("\n\n")
    if blank < 0 or not note.endswith("\n"):
        raise NoteError("the note has no signature lines after a blank line")
    if _CONTROL.search(note):
        raise NoteError("the note holds a control character")
    lines = note[blank + 2 : -1].split("\n")
    if len(lines) > SIGNATURE_LINES_MAX:
        raise NoteError(f"the note has more than {SIGNATURE_LINES_MAX} signature lines")
    return note[: blank + 1], [_signature(line) for line in lines]


def verify_note(note: str, keys: Iterable[VerifierKey]) -> tuple[str, list[Cosignature]]:
    """The text of a note and who signed it, each signature of a given key checked.

    A log's signature is returned with the time 0. Raises NoteError on a malformed note and on any
    wrong signature of a given key; a note without a signature of these keys gives an empty list.
    """
    text, signatures = split_note(note)
    known = {(key.name, key.key_id): key for key in keys}
    signed: list[Cosignature] = []
    for signature in signatures:
        key = known.get((signature.name, signature.key_id))
        if key is not None:
            signed.append(Cosignature(key.name, key.key_id, _verify(text, signature, key)))
    return text, signed


def parse_checkpoint(text: str) -> Checkpoint:
    """The checkpoint in a note's text: exactly three lines. Raises NoteError."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise NoteError("a checkpoint has exactly three lines")
    origin, size, root = lines[:3]
    if not origin:
        raise NoteError("the checkpoint has no origin")
    if _SIZE(size) is None or int(size) > INTEGER_MAX:
        raise NoteError("the checkpoint's size is not a plain number up to 2^53-1")
    try:
        root_hash = from_base64(root)
    except CanonicalError as error:
        raise NoteError("the checkpoint's root is not strict base64") from error
    if len(root_hash) != 32:
        raise NoteError("the checkpoint's root does not have 32 bytes")
    return Checkpoint(origin, int(size), root_hash)


def open_checkpoint(
    note: str, key: VerifierKey, witnesses: Iterable[VerifierKey] = ()
) -> tuple[Checkpoint, list[Cosignature]]:
    """The checkpoint of a note signed by the log's `key`, and the cosignatures of `witnesses`.

    Its origin must be the key's name. Raises NoteError.
    """
    text, signed = verify_note(note, [key, *witnesses])
    if not any((who.name, who.key_id) == (key.name, key.key_id) for who in signed):
        _, signatures = split_note(note)
        if any(one.name == key.name for one in signatures):
            raise NoteError(
                f"the checkpoint is not signed by the key given but by another key of {key.name}:"
                " the log changed its key, or somebody else signed this"
            )
        raise NoteError(f"the checkpoint is not signed by {key.name}")
    checkpoint = parse_checkpoint(text)
    if checkpoint.origin != key.name:
        raise NoteError(f"the checkpoint is of {checkpoint.origin}, the key of {key.name}")
    cosigned = [who for who in signed if (who.name, who.key_id) != (key.name, key.key_id)]
    return checkpoint, cosigned


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NoteError("the text holds a lone surrogate, which no bytes stand for") from error


def _check_name(name: str) -> None:
    _check_unicode(name)
    if not name or "+" in name or any(character.isspace() for character in name):
        raise NoteError('a key name is not empty and has neither white space nor "+"')


def _signature(line: str) -> Signature:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != "\u2014" or not encoded:
        raise NoteError("a signature line is not of the form: dash, name, base64")
    _check_name(name)
    try:
        data = from_base64(encoded)
    except CanonicalError as error:
        raise NoteError("a signature line is not strict base64") from error
    if len(data) < 5:
        raise NoteError("a signature line holds fewer than 5 bytes")
    return Signature(name, data[:4], data[4:])


def _message(text: str, time_s: int | None) -> bytes:
    if time_s is None:
        return text.encode()
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def _verify(text: str, signature: Signature, key: VerifierKey) -> int:
    payload, time_s = signature.payload, None
    if key.algorithm == COSIGNATURE:
        time_s, payload = int.from_bytes(payload[:8]), payload[8:]
    elif key.algorithm != ED25519:
        raise NoteError(f"{key.name} has a key of a type that is not supported")
    try:
        # A signature of any other length than 64 bytes is refused by the library as invalid.
        Ed25519PublicKey.from_public_bytes(key.public).verify(payload, _message(text, time_s))
    except (InvalidSignature, ValueError) as error:
        raise NoteError(f"a signature by {key.name} is wrong") from error
    return time_s or 0
