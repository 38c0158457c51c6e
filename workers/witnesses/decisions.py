"""What a witness is asked, and what its answer means (C2SP tlog-witness v1.0.0, add-checkpoint).

| answer | meaning | what follows |
| --- | --- | --- |
| 200 with a right signature | it cosigned | the line counts |
| 409 with a size | it knows the log at that size | it is asked from there, once |
| 422 | it saw another history of this log | an alarm that stays |
| 429, 502, 503, 504, no answer | it cannot now | it is asked again in the next round |
| all else, 500 too | it does not want to: a person must look | asked less and less often |

A widely used witness says 500 for a log or key that it does not know, where the standard says 404
and 403: so a 500 may stay, and is treated like those.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from amply_verify.canonical import INTEGER_MAX, to_base64
from amply_verify.errors import NoteError
from amply_verify.note import VerifierKey, verify_note

#: A proof between two sizes below 2^64 has at most this many hashes.
PROOF_HASHES_MAX: Final = 63
SIZE_TYPE: Final = "text/x.tlog.size"
#: A reader judges a cosignature by its age, so a witness whose clock is wrong does not count.
CLOCK_SKEW_S_MAX: Final = 600
REFUSED_PAUSE_S: Final = (60.0, 3600.0)
SILENT_AFTER_S: Final = 900.0

_PASSING: Final = frozenset({429, 502, 503, 504})
_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,15})\n?").fullmatch
_QUOTED_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Response:
    """What came over HTTP; `content_type` without parameters, `body` within its bound."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The witness's signature line, verified, and the time in it (seconds since the epoch)."""

    line: str
    time_s: int


@dataclass(frozen=True, slots=True)
class KnowsOtherSize:
    """The size at which the witness knows the log; it wants a proof from there."""

    size: int


@dataclass(frozen=True, slots=True)
class OtherHistory:
    """The witness holds a history of this log that ours does not continue."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The witness does not want to, and asking again will not help: somebody must look."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """No cosignature this time."""

    reason: str


Failure = OtherHistory | Refused | Failed
Answer = Cosigned | KnowsOtherSize | Failure


def request_body(old_size: int, proof: Sequence[bytes], note: str) -> bytes:
    """What is posted: the size that the witness knows, the proof from there, the checkpoint."""
    if len(proof) > PROOF_HASHES_MAX:
        raise ValueError(f"a consistency proof has at most {PROOF_HASHES_MAX} hashes")
    hashes = "".join(f"{to_base64(item)}\n" for item in proof)
    return f"old {old_size}\n{hashes}\n{note}".encode()


def judge(response: Response, note: str, key: VerifierKey, now_s: float) -> Answer:
    """What a response to `note` means; only a signature of `key` that is right counts."""
    if response.status == 200:
        return _cosigned(response.body, note, key, now_s)
    if response.status == 409 and response.content_type == SIZE_TYPE:
        size = _SIZE(response.body)
        if size is not None and int(size[1]) <= INTEGER_MAX:
            return KnowsOtherSize(int(size[1]))
    reason = f"HTTP {response.status} {quote(response.body)}".rstrip()
    if response.status == 422:
        return OtherHistory(reason)
    return Failed(reason) if response.status in _PASSING else Refused(reason)


def _cosigned(body: bytes, note: str, key: VerifierKey, now_s: float) -> Answer:
    """The one line of `key`. Lines of other keys are ignored, as the standard asks."""
    try:
        lines = [f"{line}\n" for line in body.decode().split("\n") if line]
        for line in lines:
            _, signed = verify_note(note + line, [key])
            if signed:
                time_s = signed[0].time_s
                if abs(time_s - now_s) > CLOCK_SKEW_S_MAX:
                    return Refused(f"its clock differs by {time_s - now_s:.0f} s from ours")
                return Cosigned(line, time_s)
    except (NoteError, UnicodeDecodeError) as error:
        return Refused(f"what it signed does not verify: {error}")
    return Refused(f"it answered without a signature of {key.name}")


def refused_pause_s(times: int) -> float:
    """How long a witness is left alone after so many refusals in a row."""
    first_s, most_s = REFUSED_PAUSE_S
    return min(first_s * 2.0 ** min(times - 1, 32), most_s)


def quote(body: bytes) -> str:
    """The start of a foreign text, fit for a log line."""
    return ascii(body[:_QUOTED_MAX].decode("utf-8", "replace").strip()) if body else ""
