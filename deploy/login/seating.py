"""The demonstration's people get their roles, as an operator's commands give them, once."""

from typing import Final, cast

from deploy.login import demonstration
from edge.database.pool import Database
from edge.members import service as members
from edge.members import store
from edge.members.models import Role
from edge.members.staff import set_role
from edge.people.service import Persons

_OPERATOR: Final = "operator"


async def seat_people(
    database: Database, master_key: bytes, issuer: str, organization: str
) -> None:
    """Make them known and seat them; who has or had a role keeps what became of it since."""
    persons = Persons(database, master_key)
    for role in demonstration.ROLES:
        person = (await persons.known(issuer, role.subject)).id
        scope = person if role.is_staff else organization
        async with database.transaction([scope]) as connection:
            if role.is_staff:
                if await store.staff(connection, person) is None:
                    await set_role(connection, person, role.relation, _OPERATOR)
            elif await store.member(connection, organization, person) is None:
                seat = cast(Role, role.relation)
                await members.seat(connection, organization, person, seat, None, _OPERATOR)
