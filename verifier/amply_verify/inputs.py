"""What the command is given: keys, policies, kept heads, and checkpoints wherever they are.

All failures are UnreadableError: nothing was judged yet.
"""

import json
from pathlib import Path

from amply_verify.errors import InvalidError, NoteError, RefusedError, UnreadableError
from amply_verify.export import Head
from amply_verify.export_form import parse_first
from amply_verify.history import Side
from amply_verify.kinds import is_hash
from amply_verify.log_files import check_note, read_note
from amply_verify.note import ED25519, VerifierKey, parse_verifier_key
from amply_verify.policy import Policy, parse_policy
from amply_verify.receipt import FORMAT as RECEIPT
from amply_verify.receipt import parse_receipt
from amply_verify.source import open_log, read_bounded
from amply_verify.trust import Trust


def read_text(path: str) -> str:
    """The text of a file."""
    try:
        return read_bounded(Path(path)).decode()
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{path} is not UTF-8 text") from error


def read_key(text: str) -> VerifierKey:
    """A log's verifier key, or the one in the file of that name."""
    try:
        key = parse_verifier_key(text)
    except (NoteError, UnicodeError):
        try:
            key = parse_verifier_key(read_text(text).strip())
        except NoteError as error:
            raise UnreadableError(f"{text} holds no verifier key: {error}") from error
        except (OSError, ValueError) as error:
            raise UnreadableError(
                f"--key is neither a verifier key nor a file that holds one: {text}"
            ) from error
    if key.algorithm != ED25519:
        raise UnreadableError("--key is not the Ed25519 key of a log")
    return key


def read_policy(path: str) -> Policy:
    """The witness policy in a file."""
    try:
        return parse_policy(read_text(path))
    except NoteError as error:
        raise UnreadableError(f"{path}: {error}") from error


def read_head(path: str) -> Head:
    """The head of a chain that somebody kept."""
    try:
        value = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"{path} is not JSON") from error
    if isinstance(value, dict):
        digest, seq = value.get("hash"), value.get("seq")
        if isinstance(digest, str) and is_hash(digest) and type(seq) is int and seq >= 0:
            return Head(digest, seq)
    raise UnreadableError(f'{path} is not of the form {{"hash": "<64 hex>", "seq": <number>}}')


def read_side(location: str, trust: Trust) -> Side:
    """The checkpoint at a location: a log's folder or address, or a file that holds one.

    Such a file is a checkpoint, a receipt or an export. Raises RefusedError when the log did not
    sign it.
    """
    read = None
    if location.startswith(("http://", "https://", "file://")) or Path(location).is_dir():
        read = open_log(location)
        note = read_note(read, trust)
    else:
        note = _note_in(location)
    try:
        return Side(location, note, check_note(note, trust), read)
    except RefusedError as error:
        raise RefusedError(error.step, f"{location}: {error.message}") from error


def _note_in(path: str) -> str:
    with Path(path).open("rb") as stream:
        start = stream.readline(len(RECEIPT) + 1)
    try:
        if start.startswith(b"{"):
            with Path(path).open("rb") as stream:
                return str(parse_first(stream.readline(1 << 20).rstrip(b"\n"))["checkpoint"])
        if start.rstrip(b"\n") == RECEIPT.encode():
            return parse_receipt(read_bounded(Path(path))).checkpoint
    except InvalidError as error:
        raise UnreadableError(f"{path} holds no checkpoint: {error}") from error
    return read_text(path)
