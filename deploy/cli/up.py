"""`amply up`: start everything, show one donation from POST to verified receipt, then serve."""

import asyncio
import contextlib
import os
import signal
import time
import traceback
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.status import Status

from contracts.money import spell
from deploy import demonstration
from deploy.cli.console import DATA_DEFAULT, DataOption, console, errors, fail
from deploy.client import EdgeClient, OutcomeUnknownError, RefusedByEdgeError
from deploy.embedded import EngineError, Event
from deploy.platform import NotReadyError, Platform, Step


def up(
    data: DataOption = DATA_DEFAULT,
    once: Annotated[bool, typer.Option("--once", help='Stop after "verified".')] = False,
    port: Annotated[int | None, typer.Option(help="The port of the HTTP edge.")] = None,
    with_login: Annotated[
        bool, typer.Option("--with-login", help="Bring people to sign in as (needs Node.js).")
    ] = False,
) -> None:
    """Start the engines and the platform, take one donation, verify its receipt, serve."""
    mode = os.environ.get("AMPLY_MODE", "development")
    if mode != "development":
        fail(f"`amply up` draws secrets for development; it starts nothing of {mode}", 2)
    try:
        asyncio.run(_up(data, once, port, with_login))
    except (
        EngineError,
        NotReadyError,
        RefusedByEdgeError,
        OutcomeUnknownError,
        demonstration.VerificationError,
    ) as error:
        fail(str(error))
    except Exception as error:  # Whatever it is, it is told in plain words; a file keeps the trace.
        path = data / "logs" / "up.log"
        with path.open("a") as log:
            traceback.print_exception(error, file=log)
        fail(f"{type(error).__name__}: {error} (details in {path})")


async def _up(data: Path, once: bool, port: int | None, with_login: bool) -> None:
    started = time.monotonic()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    status = Status("Starting", console=console)
    demonstrated = False
    platform = Platform(
        data,
        port=port,
        with_login=with_login,
        # What is printed ends with the verdict.
        report=lambda step: None if demonstrated else _show(status, step),
        complain=lambda name, text: errors.print(f"{name} {text}", style="yellow", markup=False),
    )
    try:
        with status:
            if not await _unless_stopped(stop, platform.start()):
                return
            status.update("Taking a donation")
            donation = _demonstrate(platform, time.monotonic() - started)
            if not await _unless_stopped(stop, donation):
                return
            demonstrated = True
        if not once:
            console.print("Serving until Ctrl-C.")
            await stop.wait()
    finally:
        with console.status("Stopping"):
            await platform.stop()


async def _unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do the work, or give it up when a signal arrives first: whether it was done."""
    task = asyncio.ensure_future(work)
    waiter = asyncio.create_task(stop.wait())
    await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
    waiter.cancel()
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return False
    task.result()
    return True


def _show(status: Status, step: Step | Event) -> None:
    if isinstance(step, Event):
        if step.stage in {"fetching", "starting"}:
            status.update(f"{step.stage.capitalize()} {step.subject}")
            if console.is_terminal and step.stage == "starting":
                return
        parts = [f"{step.subject} {step.stage}", step.detail or ""]
        if step.size_bytes:
            parts.append(f"{step.size_bytes / 1e6:.0f} MB")
        if step.port:
            parts.append(f"port {step.port}")
        seconds = step.seconds
    else:
        parts = [f"{step.what} ready", step.detail]
        seconds = step.seconds
    text = ", ".join(filter(None, parts)) + (f" ({seconds:.1f} s)" if seconds is not None else "")
    console.print(f"  {text}", style="dim", markup=False)


async def _demonstrate(platform: Platform, start_s: float) -> None:
    settings = platform.settings
    url = settings["AMPLY_URL"]
    started = time.monotonic()
    async with EdgeClient(url, settings["AMPLY_API_KEY"]) as edge:
        identifier, receipt = await demonstration.donate(edge, platform.data.receipts)
    waited_s = time.monotonic() - started
    key = platform.data.public / "log" / "0" / "vkey"
    verdict = await demonstration.verify(receipt, key)
    gift = spell(int(str(demonstration.GIFT["amount_minor"])), demonstration.CURRENCY)
    slug = settings["AMPLY_ORGANIZATION"]
    curl = (
        f"curl -i {url}/v1/donations -H 'Authorization: Bearer {settings['AMPLY_API_KEY']}' "
        f"-H 'Idempotency-Key: {identifier}' -H 'Content-Type: application/json' "
        f'-d \'{{"organization":"{slug}","amount_minor":2500,"currency":"USD",'
        '"payment_method":"pm_card_visa"}\''
    )
    lines = (
        f"Amply is up at {url} after {start_s:.1f} s; logs in {platform.data.logs}",
        f"{demonstration.NAME} received {gift}: donation {identifier}",
        f"From POST to a receipt under a signed checkpoint: {waited_s:.2f} s",
        f"Receipt: {receipt}",
        f"amply-verify receipt: {verdict.message}",
        f"Public ledger: {url}/v1/public/organizations/{slug}/ledger",
        f"Checkpoint: {url}/log/0/checkpoint   Key: {key}",
        f"Addresses and keys: . {platform.data.environment_file}",
        f"Give yourself: {curl}",
        *_sign_in(platform),
        "verified" if verdict.verified else "refused",
    )
    for line in lines:
        console.print(line, soft_wrap=True, markup=False)


def _sign_in(platform: Platform) -> list[str]:
    if platform.login is None:
        return []
    address = f"{platform.settings['AMPLY_URL']}/v1/auth/login"
    return [f"Sign in: {address}, as one of", *(f"  {one}" for one in platform.login.people())]
