"""Opens the platform for histories: a migrated database, workers with their own resources."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import asyncpg

from edge.database.pool import Database
from edge.directory.directory import Directory
from edge.webhooks.reception import Reception
from tests.histories.consumers import Consumer
from tests.histories.leisure import at_leisure
from tests.histories.machinery import Machinery
from tests.histories.reconciling import Reconciling
from tests.histories.sandbox import HOST, KEY, in_process
from tests.workers.bench import Bench, new
from tests.workers.ledger_stand import genesis
from topics.sessions import leave_as_is
from workers.accounts.worker import WORKER as ACCOUNTS
from workers.donations.worker import WORKER as DONATIONS
from workers.fees.worker import WORKER as FEES
from workers.gateways.database import open_pool
from workers.gateways.stripe_gateway import open_stripe
from workers.gateways.stripe_listing import Listing
from workers.payments import resources as payments_resources
from workers.payments.worker import WORKER as PAYMENTS
from workers.payouts.worker import WORKER as PAYOUTS
from workers.payouts.worker import open_payouts
from workers.reconciliation.account import Resources

WORKERS = (PAYMENTS, FEES, PAYOUTS, DONATIONS, ACCOUNTS)
MASTER_KEY = b"\x11" * 32


#: Workers whose rounds are made when a history says so, not by the real clock.
RESOURCES = {PAYOUTS.name: open_payouts}


@asynccontextmanager
async def machinery(bench: Bench, scratch: Path) -> AsyncIterator[Machinery]:
    """The platform, on a migrated database; its time is the sandbox's."""
    key_file = scratch / "master.key"
    key_file.write_text(MASTER_KEY.hex() + "\n")
    key_file.chmod(0o600)
    async with AsyncExitStack() as stack:
        stack.enter_context(patch.object(payments_resources, "sweep_for_ever", _never))
        made = Machinery(bench, stack.enter_context(in_process()))
        settings = {
            "AMPLY_STRIPE_KEY": KEY,
            "AMPLY_MASTER_KEY": str(key_file),
            "AMPLY_STRIPE": HOST,
            "AMPLY_URL": "http://edge.test",
            "AMPLY_ENVIRONMENT": "test",
        }
        for worker in WORKERS:
            dsn = bench.role_dsn(worker.name)
            pool = await stack.enter_async_context(
                asyncpg.create_pool(dsn, min_size=1, max_size=2, reset=leave_as_is)
            )
            opening = RESOURCES.get(worker.name, worker.resources)
            resources: Any = None
            if opening is not None:
                resources = await stack.enter_async_context(
                    opening({**settings, "AMPLY_POSTGRES": dsn})
                )
                resources = _on_clock(resources, made)
            made.consumers.append(Consumer(worker, pool, resources))
        made.reconciling = await _reconciling(stack, bench, settings, made)
        await _open_edge(stack, bench, made)
        await made.take_pen()
        stack.push_async_callback(made.close)
        made.send(genesis(new("org")))  # The platform's own chain comes first in a log.
        await made.write(made.writing)
        made.writing.clear()
        yield made


def _on_clock(resources: Any, made: Machinery) -> Any:
    """Resources that go by the history's clock where they would go by the real one."""
    resources = replace(resources, stripe=at_leisure(resources.stripe))
    if any(one.name == "now" for one in fields(resources)):
        resources = replace(resources, now=made.now)
    return resources


async def _never(*_: object) -> None:
    """Stands where a worker has rounds by the real clock; histories make them."""


async def _reconciling(
    stack: AsyncExitStack, bench: Bench, settings: Mapping[str, str], made: Machinery
) -> Reconciling:
    own = {**settings, "AMPLY_POSTGRES": bench.role_dsn("reconciliation")}
    pool = await stack.enter_async_context(open_pool(own))
    gateway = await stack.enter_async_context(open_stripe(own, "reconciliation"))
    payments, payouts = (
        next(one.resources for one in made.consumers if one.worker is worker)
        for worker in (PAYMENTS, PAYOUTS)
    )
    return Reconciling(Resources(pool, Listing(at_leisure(gateway), 0.0)), payments, payouts)


async def _open_edge(stack: AsyncExitStack, bench: Bench, made: Machinery) -> None:
    """The edge's part in it: webhooks' reception, which hears when its directory changes."""
    database = Database(bench.role_dsn("edge"))
    await database.open()
    stack.push_async_callback(database.close)
    made.directory = Directory(database)
    made.directory.is_caching = True
    made.reception = Reception(database, made.directory, MASTER_KEY, is_live=False)
    made.reception.start()
    stack.push_async_callback(made.reception.close)
    made.connection = await asyncpg.connect(bench.dsn)
    stack.push_async_callback(made.connection.close)
    # Each history begins today, whatever day the last one reached.
    await made.connection.execute("ALTER TABLE sandbox.business_clock DISABLE TRIGGER check_clock")
    await made.connection.add_listener("edge_directory", lambda *_: made.directory.forget())
