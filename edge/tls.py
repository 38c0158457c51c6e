"""TLS 1.3 in this process (RFC 8446), with a certificate that may be renewed while we serve."""

import asyncio
import ssl
from pathlib import Path
from typing import Final

import structlog

LOOK_EVERY_S: Final = 5.0

_log = structlog.get_logger()

#: What tells a renewed file from the one before: its inode, its length, when it was written.
Seen = tuple[tuple[int, int, int], ...]


class Certificate:
    """`context` is for the listener. A handshake gets the newest pair of files that fit together.

    OSError (ssl.SSLError is one) when the files cannot be used at the start; later the pair before
    stays in use, and the log says so.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._seen = self._look()
        self.context = self._newest = self._load()
        self.context.sni_callback = self._choose

    def refresh(self) -> bool:
        """Take renewed files into use; whether there were any that can be used."""
        try:
            if (seen := self._look()) == self._seen:
                return False
            # A new context, not this one changed: half a renewal must not break handshakes.
            self._newest = self._load()
        except OSError as error:
            _log.error("certificate_not_renewed", error=type(error).__name__)
            return False
        self._seen = seen
        _log.info("certificate_renewed")
        return True

    async def watch(self) -> None:
        """Look for renewed files for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.refresh()

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _old: ssl.SSLContext) -> None:
        connection.context = self._newest

    def _look(self) -> Seen:
        found = [path.stat() for path in self._files]
        return tuple((one.st_ino, one.st_size, one.st_mtime_ns) for one in found)

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(*self._files)
        return context
