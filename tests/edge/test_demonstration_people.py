"""The people of `amply up --with-login` have their roles after the first start, and keep them."""

import pytest

from deploy.login import demonstration
from deploy.login.seating import seat_people
from edge.database.pool import Database
from tests.edge.stand import Stand

pytestmark = pytest.mark.asyncio
ISSUER = demonstration.issuer_of(1234)


async def test_people_are_seated_once(stand: Stand) -> None:
    await stand.register(is_platform=True, accepts_donations=False)
    organization = (await stand.register()).id
    database = Database(stand.settings.postgres)
    await database.open()

    async def rows() -> tuple[dict[str, int], dict[str, int]]:
        members = await stand.fetch(
            "SELECT role, version FROM edge.members WHERE organization = $1", organization
        )
        staff = await stand.fetch("SELECT role, version FROM edge.staff")
        return (
            {row["role"]: row["version"] for row in members},
            {row["role"]: row["version"] for row in staff},
        )

    try:
        await seat_people(database, stand.settings.master_key, ISSUER, organization)
        first = await rows()
        assert set(first[0]) == {"owner", "finance", "viewer", "auditor"}
        assert set(first[1]) == {"operations"}
        await seat_people(database, stand.settings.master_key, ISSUER, organization)
        assert await rows() == first
    finally:
        await database.close()
