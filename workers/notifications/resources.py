"""What notifications needs from outside its transaction: mail, a pool, the donors' keys."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import orjson

from contracts.invitations import SEALED_PURPOSE
from ledger.keys import KeyRing, decrypt, derive
from ledger.personal_data import open_donor
from workers.gateways.database import Pool, open_pool
from workers.gateways.grouping import Grouped
from workers.gateways.smtp_gateway import MailGateway, open_mail
from workers.notifications import store
from workers.notifications.decisions import Invitation, Letterhead, recipient_of
from workers.notifications.store import Material
from workers.settings import required, secret_file


@dataclass(frozen=True, slots=True)
class Notifications:
    """Open for the life of the process."""

    mail: MailGateway
    pool: Pool
    keys: KeyRing
    letterhead: Letterhead
    #: The material for a mail, by (organization, entry, the entry that seals the donor).
    load: Grouped[tuple[str, str, str], Material | None]
    invitation_key: bytes

    def recipient(self, material: Material) -> str | None:
        """Where the donor gets mail; None when there is no donor, key or address."""
        profile, ciphertext = material.profile, material.ciphertext
        if profile is None or ciphertext is None or material.wrapped_key is None:
            return None
        data_key = self.keys.unwrap(material.wrapped_key, profile)
        return recipient_of(open_donor(ciphertext, profile, data_key)["value"])

    async def invitation(self, organization: str, identifier: str) -> Invitation | None:
        """An open invitation whose mail is to be sent; None when there is none, or no address."""
        found = await store.invitation(self.pool, organization, identifier)
        if found is None:
            return None
        said = orjson.loads(decrypt(self.invitation_key, found.sealed, found.id.encode()))
        recipient = recipient_of(said)
        if recipient is None:
            return None
        return Invitation(
            recipient, said["token"], found.organization, found.role, found.expires_at
        )


@asynccontextmanager
async def open_notifications(settings: Mapping[str, str]) -> AsyncIterator[Notifications]:
    """Open what the settings name."""
    master_key = secret_file(settings, "AMPLY_MASTER_KEY", "the file of the master key")
    keys = KeyRing(master_key)
    letterhead = Letterhead(
        required(settings, "AMPLY_MAIL_FROM", "the address that mails come from"),
        required(settings, "AMPLY_URL", "the platform's public base URL").rstrip("/"),
    )
    async with open_pool(settings) as pool, open_mail(settings) as mail:
        load = Grouped(partial(store.load, pool))
        yield Notifications(mail, pool, keys, letterhead, load, derive(master_key, SEALED_PURPOSE))
