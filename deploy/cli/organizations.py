"""`amply organization platform-fee` and `open-fund`: what is agreed with an organization."""

import asyncio
from typing import Annotated

import asyncpg
import typer

from deploy.cli.console import DATA_DEFAULT, DataOption, console, environment, fail, setting
from deploy.cli.ledger import ledger_dsn
from deploy.operations import store
from edge.database.store import set_scope
from edge.organizations import service
from edge.organizations.service import OrganizationError

BASIS_POINTS_MAX = 5000


def platform_fee(
    organization: Annotated[str, typer.Argument(help="Slug of the organization.")],
    basis_points: Annotated[
        int | None,
        typer.Argument(min=0, max=BASIS_POINTS_MAX, help="Hundredths of a percent; none: show."),
    ] = None,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Show or set the platform's share of each charge; gifts that were accepted keep theirs."""
    dsn = setting(environment(data), "AMPLY_POSTGRES")
    try:
        agreed = asyncio.run(_agree(dsn, organization, basis_points))
    except (OSError, asyncpg.PostgresError) as error:
        fail(f"PostgreSQL does not answer: {type(error).__name__}")
    if agreed is None:
        fail(f"there is no organization {organization}")
    console.print(f"{organization}: {agreed / 100:.2f} % of each charge", markup=False)


def open_fund(
    organization: Annotated[str, typer.Argument(help="Slug of the organization.")],
    currency: Annotated[str, typer.Argument(help="ISO 4217: what the fund's assets are in.")],
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Open a default fund for what Stripe settles in another currency."""
    dsn = setting(environment(data), "AMPLY_POSTGRES")
    try:
        fund = asyncio.run(_open(dsn, ledger_dsn(data, "edge"), organization, currency))
    except OrganizationError as error:
        fail(str(error))
    except (OSError, asyncpg.PostgresError) as error:
        fail(f"PostgreSQL does not answer: {type(error).__name__}")
    if fund is None:
        fail(f"there is no organization {organization}")
    console.print(f"{organization}: {fund} holds {currency}", markup=False)


async def _open(dsn: str, edge_dsn: str, slug: str, currency: str) -> str | None:
    connection = await asyncpg.connect(dsn)
    try:
        found = await store.organization_id(connection, slug)
    finally:
        await connection.close()
    if found is None:
        return None
    connection = await asyncpg.connect(edge_dsn)
    try:
        return await service.open_fund(connection, found, currency)
    finally:
        await connection.close()


async def _agree(dsn: str, slug: str, basis_points: int | None) -> int | None:
    connection = await asyncpg.connect(dsn)
    try:
        found = await store.organization_id(connection, slug)
        if found is None:
            return None
        async with connection.transaction():
            await set_scope(connection, [found])
            if basis_points is not None:
                await store.set_platform_fee(connection, found, basis_points)
            return await store.platform_fee(connection, found)
    finally:
        await connection.close()
