"""Mail by STARTTLS and by TLS from the start: verified, or no mail leaves."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.certificates import Authority, Identity
from workers.gateways.smtp_gateway import open_mail
from workers.runtime.worker import Transient


class Box:
    """Keeps what arrives, and whether it came by TLS."""

    def __init__(self) -> None:
        self.mails: list[bool] = []
        self.logins: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(session.ssl is not None or server.transport.get_extra_info("sslcontext"))
        return "250 OK"

    def authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        self.logins.append(data.login.decode())
        is_right = data.password == b"hidden"
        return AuthResult(success=is_right, handled=is_right)  # Not handled: it answers 535.


@asynccontextmanager
async def mail_server(
    identity: Identity, *, offers: bool = True, at_once: bool = False
) -> AsyncIterator[tuple[Box, int]]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(identity.certificate, identity.key)
    box = Box()

    def make() -> SMTP:
        return SMTP(
            box,
            tls_context=context if offers and not at_once else None,
            authenticator=box.authenticate,
            auth_require_tls=not at_once,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(make, "127.0.0.1", 0, ssl=context if at_once else None)
    yield box, server.sockets[0].getsockname()[1]
    server.close()


def mail() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@amply.org", "b@amply.org", "Receipt"
    message.set_content("Thank you")
    return message


async def sent(address: str) -> int | None:
    async with open_mail({"AMPLY_SMTP": address}) as gateway:
        return await gateway.send(mail())


@pytest.mark.parametrize("scheme", ["starttls", "smtps"])
async def test_a_verified_server_gets_mail_and_password_by_tls(tmp_path: Path, scheme: str) -> None:
    authority = Authority(tmp_path, "ours")
    at_once = scheme == "smtps"
    async with mail_server(authority.issue("127.0.0.1"), at_once=at_once) as (box, port):
        address = f"{scheme}://amply:hidden@127.0.0.1:{port}?ca={authority.file}"
        assert await sent(address) is None
    assert len(box.mails) == 1 and box.mails[0]
    assert box.logins == ["amply"]


async def test_a_server_that_strips_starttls_gets_no_mail_and_no_password(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ours")
    async with mail_server(authority.issue("127.0.0.1"), offers=False) as (box, port):
        with pytest.raises(Transient):
            await sent(f"starttls://amply:hidden@127.0.0.1:{port}?ca={authority.file}")
    assert (box.mails, box.logins) == ([], [])


@pytest.mark.parametrize("fault", ["authority", "name"])
async def test_a_server_that_nobody_vouches_for_gets_no_mail(tmp_path: Path, fault: str) -> None:
    authority, others = Authority(tmp_path, "ours"), Authority(tmp_path, "others")
    identity = authority.issue("mail.test" if fault == "name" else "127.0.0.1")
    async with mail_server(identity) as (box, port):
        trusted = others if fault == "authority" else authority
        with pytest.raises(Transient):
            await sent(f"starttls://127.0.0.1:{port}?ca={trusted.file}")
    assert box.mails == []


async def test_a_wrong_password_is_no_verdict_about_the_mail(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ours")
    async with mail_server(authority.issue("127.0.0.1")) as (box, port):
        with pytest.raises(Transient):
            await sent(f"starttls://amply:wrong@127.0.0.1:{port}?ca={authority.file}")
    assert box.mails == []
