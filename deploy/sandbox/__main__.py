"""Starts the sandbox: `python -m deploy.sandbox --port N --data DIR`, key from AMPLY_STRIPE_KEY.

Listens on 127.0.0.1 only. SIGTERM and SIGINT let running requests finish first.
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog
import uvloop
from aiohttp import web

from deploy.sandbox import account_bodies
from deploy.sandbox.calls import World
from deploy.sandbox.control import HEALTH_PATH, Control
from deploy.sandbox.deliveries import SCHEDULES_S, Deliveries, DeliverySettings
from deploy.sandbox.engine import Engine
from deploy.sandbox.errors import StripeError
from deploy.sandbox.faults import Faults
from deploy.sandbox.identifiers import new_id, seed
from deploy.sandbox.money import SETTLEMENT_CURRENCIES
from deploy.sandbox.pages import PATH as PAGES_PATH
from deploy.sandbox.pages import Pages
from deploy.sandbox.server import Server
from deploy.sandbox.store import Store

HOST = "127.0.0.1"
ADDRESS_FILE = "sandbox.json"
SHUTDOWN_TIMEOUT_S = 10.0
KEY_PREFIX = "sk_test_"

log = structlog.get_logger()


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the settings; exits with a plain message if they are not usable."""
    parser = argparse.ArgumentParser(prog="python -m deploy.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1; 0 = any free one")
    parser.add_argument("--data", type=Path, required=True, help="directory of the database file")
    parser.add_argument(
        "--key", default=os.environ.get("AMPLY_STRIPE_KEY"), help="default: $AMPLY_STRIPE_KEY"
    )
    parser.add_argument("--country", default="DE", help="the platform's country (a new directory)")
    parser.add_argument("--retry-delay-s", type=float, default=0.25, help="first webhook retry")
    parser.add_argument("--retry-delay-s-max", type=float, default=30.0, help="longest back-off")
    parser.add_argument("--attempts-max", type=int, default=100, help="tries of one delivery")
    parser.add_argument("--retries", choices=("fast", *SCHEDULES_S), default="fast")
    parser.add_argument("--seed", help="ids and secrets repeat from one new directory to another")
    parser.add_argument("--commit-delay-s", type=float, default=0.004, help="group commit")
    given = parser.parse_args(arguments)
    if not given.key or not given.key.startswith(KEY_PREFIX):
        parser.error(f"give a key that begins with {KEY_PREFIX} by --key or AMPLY_STRIPE_KEY")
    if not may_run(os.environ):
        parser.error("it makes things go wrong on purpose: AMPLY_MODE must allow that")
    return given


def may_run(variables: Mapping[str, str]) -> bool:
    """Whoever does not say where this runs is a developer; else it must be a place for trials."""
    mode, environment = (
        variables.get(name, "").strip() for name in ("AMPLY_MODE", "AMPLY_ENVIRONMENT")
    )
    return mode in ("", "development", "sandbox") and environment in ("", "test")


def start_ids(store: Store, text: str) -> None:
    """Let ids follow a seed, and each start on the same directory go its own way."""
    starts = int(store.setting("starts") or 0)
    with store.unit():
        store.set_setting("starts", str(starts + 1))
    seed(f"{text}:{starts}")


def announce(data: Path, url: str, key: str) -> Path:
    """Write where the sandbox is and its key, for the owner of `data` alone; returns the file."""
    path = data / ADDRESS_FILE
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_text(json.dumps({"url": url, "key": key}))
    temporary.replace(path)
    return path


def open_world(store: Store, country: str, base_url: str) -> World:
    """Return the state in the store; a new store gets its platform account first."""
    now = World(store, "", "", base_url).now()
    platform, application = store.setting("platform"), store.setting("application")
    if platform is None or application is None:
        platform, application = new_id("acct", 16), new_id("ca", 32)
        settlement = SETTLEMENT_CURRENCIES[country]
        account = account_bodies.account(platform, now, country, settlement)
        account |= dict.fromkeys(("charges_enabled", "details_submitted", "payouts_enabled"), True)
        with store.unit():
            store.insert(platform, account)
            store.set_setting("platform", platform)
            store.set_setting("application", application)
    offset = int(store.setting("clock_offset_s") or 0)
    return World(store, platform, application, base_url, clock_offset_s=offset)


async def serve(given: argparse.Namespace, ready: Callable[[World], None] | None = None) -> None:
    """Run until SIGTERM or SIGINT; calls `ready` once requests are answered."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    given.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = Store(given.data / "sandbox.sqlite3", given.commit_delay_s)
    if given.seed:
        start_ids(store, given.seed)
    faults = Faults()
    world = open_world(store, given.country, f"http://{HOST}:{given.port}")
    settings = DeliverySettings(
        retry_delay_s=given.retry_delay_s,
        retry_delay_s_max=given.retry_delay_s_max,
        attempts_max=given.attempts_max,
        schedule_s=SCHEDULES_S.get(given.retries, ()),
    )
    engine = Engine(world, faults, Deliveries(world, faults, settings), given.key)
    server, control, pages = Server(engine), Control(engine), Pages(engine)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith(PAGES_PATH):
            return await pages.handle(request)
        if not request.path.startswith("/_sandbox/"):
            return await server.handle(request)
        if request.path != HEALTH_PATH:
            try:
                server.authenticate(request)
            except StripeError as error:
                return web.json_response(error.body("req_control"), status=error.status)
        return await control.handle(request)

    await engine.start()
    runner = web.ServerRunner(web.Server(handle, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, HOST, given.port, shutdown_timeout=SHUTDOWN_TIMEOUT_S, backlog=1024)
    await site.start()
    port = runner.addresses[0][1]
    world.base_url = f"http://{HOST}:{port}"
    address = announce(given.data, world.base_url, given.key)
    log.info("sandbox_ready", url=world.base_url, data=str(given.data), platform=world.platform)
    if ready is not None:
        ready(world)
    await stopping.wait()
    address.unlink(missing_ok=True)
    await runner.cleanup()
    await engine.stop()
    log.info("sandbox_stopped")


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point."""
    given = read_arguments(arguments)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
    )
    uvloop.run(serve(given))


if __name__ == "__main__":
    main()
