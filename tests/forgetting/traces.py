"""Looking for a person in raw bytes: what they typed, in the spellings that software makes."""

import base64
import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path


def needles(mark: str, texts: Iterable[str]) -> dict[bytes, str]:
    """Byte sequences that give away `mark`, or a digest of one of the texts that contain it."""
    found: dict[bytes, str] = {}
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        found |= dict.fromkeys(_spellings(mark.encode(encoding)), f"{mark} as {encoding}")
    for text in texts:
        assert mark in text
        for form in {text, text.casefold()}:
            for name in ("md5", "sha1", "sha256"):
                digest = hashlib.new(name, form.encode()).digest()
                hexadecimal = digest.hex().encode()
                spelled = (digest, hexadecimal, base64.b64encode(digest).rstrip(b"="))
                found |= dict.fromkeys(spelled, f"{name} of {form!r}")
    return found


def _spellings(raw: bytes) -> Iterator[bytes]:
    yield raw
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    # Base64 of a text that contains it: at each of the three alignments, without the ends that
    # depend on what stands beside it.
    for offset in range(3):
        text = base64.b64encode(bytes(offset) + raw)
        inner = text[-(-offset * 8 // 6) : len(text) - 4]
        yield inner
        yield inner.replace(b"+", b"-").replace(b"/", b"_")


def hits(content: bytes, sought: dict[bytes, str]) -> list[str]:
    """What of the sought is there."""
    return [what for needle, what in sought.items() if needle in content]


def hits_below(folder: Path, sought: dict[bytes, str], outside: Iterable[Path] = ()) -> list[str]:
    """The same for every file below a folder, by name; and file names themselves."""
    found: list[str] = []
    files = 0
    for root, _, names in os.walk(folder):
        if any(Path(root).is_relative_to(one) for one in outside):
            continue
        for name in names:
            path = Path(root, name)
            found += [f"{path}: {what}" for what in hits(os.fsencode(name), sought)]
            if path.is_file() and not path.is_symlink():
                files += 1
                for part in _written(path):
                    found += [f"{path}: {what}" for what in hits(part, sought)]
    assert files, f"nothing was searched below {folder}"
    return found


def _written(path: Path) -> Iterator[bytes]:
    """What was ever written of a file: Kafka reserves gigabytes of holes."""
    with path.open("rb") as file:
        end = 0
        while True:
            try:
                start = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # Nothing but a hole, or nothing, is left.
                    return
                raise
            end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            yield os.pread(file.fileno(), end - start, start)
