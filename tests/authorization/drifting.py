"""What goes wrong in SpiceDB, and in what was kept of it, by chance."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from authzed.api.v1 import RelationshipUpdate, WriteRelationshipsRequest

from edge.spicedb import Relation
from tests.authorization.lab import relationship
from tests.authorization.town import CAVEAT, Town

_TOUCH: Final = RelationshipUpdate.OPERATION_TOUCH
DELETE: Final = RelationshipUpdate.OPERATION_DELETE
_KEEP: Final = """
    INSERT INTO permissions.relationships (resource, relation, subject, expires_at, organization)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (resource, relation, subject) DO UPDATE SET expires_at = excluded.expires_at
"""
_FORGET: Final = """
    DELETE FROM permissions.relationships
    WHERE (resource, relation, subject) = ($1, $2, $3)
"""


async def drift(town: Town, chance: random.Random) -> list[str]:
    """Let SpiceDB and the worker's record differ from the rows in many ways; what was done."""
    right = sorted(await town.truth(), key=str)
    updates: dict[Any, Any] = {}
    done = []
    for one in chance.sample(right, min(12, len(right))):
        harm = chance.choice(["missing", "conditional", "forgotten", "both"])
        if harm in ("missing", "both"):
            updates[one.names] = update_of(one, DELETE)
        if harm == "conditional" and not one.subject.endswith("*"):
            updates[one.names] = update_of(one, _TOUCH, is_conditional=True)
        if harm in ("forgotten", "both"):
            await town.fetch(_FORGET, *one.names)
        done.append(f"{harm} {one}")
    for one in (one for one in right if one.relation == "auditor"):
        end = chance.choice([None, datetime.now(UTC) + timedelta(days=chance.randint(20, 30))])
        updates[one.names] = update_of(one, _TOUCH, end)
        done.append(f"ends wrongly {one}")
    for one in _extra(right, chance):
        harm = chance.choice(["extra", "conditional", "recorded"])
        if harm != "recorded":
            may_depend = harm == "conditional" and not one.subject.endswith("*")
            updates[one.names] = update_of(one, is_conditional=may_depend)
        if harm != "extra":
            whose = chance.choice([row.resource for row in right if "organization:" in str(row)])
            values = (*one.names, one.expires_at, whose.partition(":")[2])
            await town.fetch(_KEEP, *values)
        done.append(f"{harm} {one}")
    await write(town, list(updates.values()))
    return done


async def write(town: Town, updates: list[Any]) -> None:
    """Change what SpiceDB holds, and tell nobody."""
    async with town.lab.open() as session:
        request = WriteRelationshipsRequest(updates=updates)
        await session.permissions.WriteRelationships(request, timeout=30)


def _extra(right: list[Relation], chance: random.Random) -> list[Relation]:
    """What nobody wants: roles, scopes, ways in; of things that are there, and of none."""
    organizations = sorted(
        {one.resource for one in right if one.resource.startswith("organization:")}
    )
    keys = sorted({one.resource for one in right if one.resource.startswith("api_key:")})

    def somewhere() -> str:
        return chance.choice([*organizations, "organization:org_lost"])

    wanted = {one.names for one in right}
    extra = [
        *(Relation(somewhere(), role, "user:usr_forged") for role in ("owner", "board", "finance")),
        Relation("platform:amply", "superuser", "user:usr_forged"),
        Relation(somewhere(), "scope_payout_manage", chance.choice([*keys, "api_key:key_lost"])),
        Relation(somewhere(), "collector", "collector:col_lost"),
        Relation(somewhere(), "suspended", "visitor:*"),
        Relation("fund:fund_lost", "organization", somewhere()),
        Relation("fund:fund_lost", "scope_ledger_read", "api_key:key_lost"),
        Relation("fund:fund_lost", "manager", "user:usr_forged"),
        Relation("api_key:key_lost", "organization", somewhere()),
        Relation("collector:col_lost", "manager", "user:usr_forged"),
    ]
    return [one for one in extra if one.names not in wanted]


def update_of(
    one: Relation,
    operation: Any = _TOUCH,
    end: datetime | None = None,
    *,
    is_conditional: bool = False,
) -> Any:
    """An update of one relationship, by hand."""
    made = relationship(str(one))
    if end is not None:
        made.optional_expires_at.FromDatetime(end)
    if is_conditional:
        made.optional_caveat.caveat_name = CAVEAT
    return RelationshipUpdate(operation=operation, relationship=made)
