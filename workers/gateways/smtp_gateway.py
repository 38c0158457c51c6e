"""Mail by SMTP (RFC 5321): one connection, kept open, one mail at a time."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.message import EmailMessage
from typing import Final

import aiosmtplib

from workers.runtime.worker import Transient
from workers.settings import address

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
                    await self._server.connect()
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


def _final(error: aiosmtplib.SMTPResponseException) -> int:
    if error.code < 500:
        raise Transient(f"the mail server answered {error.code}") from error
    return error.code


@asynccontextmanager
async def open_mail(settings: Mapping[str, str]) -> AsyncIterator[MailGateway]:
    """A gateway on `AMPLY_SMTP`; it connects with the first mail."""
    host, port = address(settings, "AMPLY_SMTP", "the mail server's address, host:port")
    server = aiosmtplib.SMTP(hostname=host, port=port, timeout=TIMEOUT_S)
    try:
        yield MailGateway(server)
    finally:
        server.close()
