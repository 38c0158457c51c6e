"""Mail by SMTP (RFC 5321): one connection, kept open, one mail at a time."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.message import EmailMessage
from typing import Final

import aiosmtplib

from topics.connections.tls import client_context
from workers.runtime.worker import Transient
from workers.settings import SettingError, engine_address

TIMEOUT_S: Final = 15
#: RFC 3463: what a server that lacks an extension would have answered.
_NOT_SUPPORTED: Final = 555


class MailGateway:
    """Hands mails to one server."""

    def __init__(self, server: aiosmtplib.SMTP) -> None:
        self._server = server
        self._one_at_a_time = asyncio.Lock()

    async def send(self, mail: EmailMessage) -> int | None:
        """None when the server took the mail, else the code of its final no (5xx).

        Transient when it may take it later, or when the connection broke: the mail may have been
        taken then, and its Message-ID, the same at the next try, tells the two apart.
        """
        try:
            async with self._one_at_a_time:
                if not self._server.is_connected:
                    await self._connect()
                await self._server.send_message(mail)
        except aiosmtplib.SMTPRecipientsRefused as error:
            return _final(error.recipients[0])
        except aiosmtplib.SMTPResponseException as error:
            return _final(error)
        except aiosmtplib.SMTPNotSupported:
            return _NOT_SUPPORTED
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Transient(f"the mail server did not answer: {type(error).__name__}") from error
        return None

    async def _connect(self) -> None:
        """What goes wrong here, wrong credentials included, says nothing about the mail."""
        try:
            await self._server.connect()
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Transient(f"no connection to the mail server: {type(error).__name__}") from error


def _final(error: aiosmtplib.SMTPResponseException) -> int:
    if error.code < 500:
        raise Transient(f"the mail server answered {error.code}") from error
    return error.code


@asynccontextmanager
async def open_mail(settings: Mapping[str, str]) -> AsyncIterator[MailGateway]:
    """A gateway on `AMPLY_SMTP`; it connects with the first mail.

    By `starttls://` and `smtps://` nothing is said before TLS is on and the server's certificate
    was checked: a server that does not offer it gets no mail (RFC 3207, RFC 8314).
    """
    known = engine_address(settings, "AMPLY_SMTP", "smtp", "the mail server's address, host:port")
    ((host, port),) = known.hosts
    try:
        context = client_context(known.options) if known.scheme else None
    except OSError as error:
        raise SettingError(f"AMPLY_SMTP names files that cannot be used: {error}") from None
    server = aiosmtplib.SMTP(
        hostname=host,
        port=port,
        timeout=TIMEOUT_S,
        username=known.user,
        password=known.password,
        use_tls=known.scheme == "smtps",
        start_tls=known.scheme == "starttls" if known.scheme else None,
        tls_context=context,
    )
    try:
        yield MailGateway(server)
    finally:
        server.close()
