"""`amply sandbox`: the stand-in for Stripe on its own, without the rest of the platform."""

import asyncio
import json
import logging
import os
import re
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import structlog
import typer

from deploy.cli.console import console, environment, fail
from deploy.cli.visibility import advance_business_clock
from deploy.sandbox import __main__ as server
from deploy.sandbox.calls import API_VERSION, World
from deploy.sandbox.named_faults import NAMED

DATA_DEFAULT = Path(".amply/sandbox-alone")
PLATFORM_DATA = Path(".amply")
PORT_DEFAULT = 8421
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(?:\d+[smhdw])+")

PlaceOption = Annotated[Path | None, typer.Option("--data", help="The sandbox's directory.")]
UrlOption = Annotated[
    str | None, typer.Option("--url", help="Its address instead; AMPLY_STRIPE_KEY is its key.")
]

sandbox = typer.Typer(help="A stand-in for Stripe, for tests.", no_args_is_help=True)
clock = typer.Typer(help="The clock that payouts and debits follow.", no_args_is_help=True)
sandbox.add_typer(clock, name="clock")


@sandbox.command("serve")
def serve(
    port: Annotated[int, typer.Option(help="On 127.0.0.1; 0 is any free one.")] = PORT_DEFAULT,
    data: Annotated[Path, typer.Option(help="Where its state is kept.")] = DATA_DEFAULT,
    seed: Annotated[str | None, typer.Option(help="Ids repeat from run to run.")] = None,
    country: Annotated[str, typer.Option(help="The platform's, in a new directory.")] = "DE",
    retries: Annotated[
        str, typer.Option(help="Webhook retries: sandbox or live, as at Stripe, or fast.")
    ] = "sandbox",
) -> None:
    """Serve Stripe's API on this machine until Ctrl-C; prints how to use it."""
    arguments = ["--port", str(port), "--data", str(data), "--key", _key(data)]
    arguments += ["--country", country, "--retries", retries, *(["--seed", seed] if seed else [])]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    given = server.read_arguments(arguments)
    try:
        asyncio.run(server.serve(given, lambda world: _explain(world, given.key)))
    except OSError as error:
        fail(f"the sandbox cannot listen on port {port}: {error.strerror or error}")


def _key(data: Path) -> str:
    """The directory's own key, unless the environment gives one."""
    given = os.environ.get("AMPLY_STRIPE_KEY")
    if given:
        return given
    path = data / "key"
    if not path.exists():
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(f"{server.KEY_PREFIX}{secrets.token_hex(16)}\n")
    return path.read_text().strip()


def _explain(world: World, key: str) -> None:
    url = world.base_url
    for line in (
        f"Stripe sandbox at {url}, API version {API_VERSION}",
        f"Key: {key}",
        f'Python: StripeClient("{key}", base_addresses={{"api": "{url}"}}, '
        f'stripe_version="{API_VERSION}")',
        "Webhooks, to your own address (the answer shows the endpoint's secret once):",
        f"  curl {url}/v1/webhook_endpoints -H 'Authorization: Bearer {key}' -d connect=true \\",
        "    -d 'enabled_events[]=*' -d url=http://127.0.0.1:8000/webhooks",
        "Time: amply sandbox clock advance 3d",
        "Serving until Ctrl-C.",
    ):
        console.print(line, soft_wrap=True, markup=False)


@clock.command("advance")
def advance(
    duration: Annotated[str, typer.Argument(help="For instance 3d, 12h or 1d12h.")],
    data: PlaceOption = None,
    url: UrlOption = None,
) -> None:
    """Move a running sandbox's clock on: what falls due until then happens, in order.

    A platform's business clock goes before it, so that both agree on what is over.
    """
    seconds = _seconds(duration)
    found = place(data, url)
    values = {} if url is not None else environment(data or PLATFORM_DATA)
    if values.get("AMPLY_STRIPE", "").rstrip("/") == found["url"]:
        advance_business_clock(values, timedelta(seconds=seconds))
    answer = asyncio.run(_ask(found, "POST", "clock", {"advance_s": seconds}))
    console.print(f"The sandbox's clock is {answer['offset_s']} s ahead", markup=False)


def _faults_help() -> str:
    lines = [f"  {name}: {fault.meaning}" for name, fault in NAMED.items()]
    return "\b\nThe names:\n" + "\n".join(lines)


@sandbox.command("fault", epilog=_faults_help())
def fault(
    name: Annotated[str, typer.Argument(help="One of the names below.")],
    rate: Annotated[
        float | None, typer.Option(help="How often: 0.1 is one in ten, until it is cleared.")
    ] = None,
    times: Annotated[
        int | None, typer.Option(help="How many times at most; without --rate the next ones.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="How late, for those that are about time.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Let chance repeat.")] = None,
    data: PlaceOption = None,
    url: UrlOption = None,
) -> None:
    """Let something go wrong in a running sandbox: once, or as often as you say."""
    given = {"name": name, "rate": rate, "times": times, "seconds": seconds, "seed": seed}
    body = {key: value for key, value in given.items() if value is not None}
    row = asyncio.run(_ask(place(data, url), "POST", "faults", body))
    console.print(f"{name}: {_often(row)}", markup=False)


@sandbox.command("faults")
def faults(
    clear: Annotated[bool, typer.Option("--clear", help="Let nothing go wrong any more.")] = False,
    data: PlaceOption = None,
    url: UrlOption = None,
) -> None:
    """List what may go wrong in a running sandbox."""
    found = place(data, url)
    if clear:
        cleared = asyncio.run(_ask(found, "DELETE", "faults"))["cleared"]
        console.print(f"{cleared} cleared", markup=False)
        return
    for row in asyncio.run(_ask(found, "GET", "faults"))["faults"]:
        what = row["name"] or f"{row['method']} {row['path']} {row['action']}"
        console.print(f"{what}: {_often(row)}", markup=False, soft_wrap=True)


def _often(row: dict[str, Any]) -> str:
    if row["count"] == 0:
        return "used up"
    times = "until cleared" if row["count"] is None else f"{row['count']} times"
    return times if row["probability"] == 1 else f"{row['probability']:.0%} of the time, {times}"


def _seconds(text: str) -> int:
    if not _DURATION.fullmatch(text):
        fail(f"{text!r} is not a duration such as 3d, 12h or 1d12h", 2)
    return sum(int(part[:-1]) * _UNITS_S[part[-1]] for part in re.findall(r"\d+[smhdw]", text))


def place(data: Path | None, url: str | None) -> dict[str, str]:
    """Where a sandbox is (`url`) and its `key`; ends the command when none runs."""
    if url is not None:
        return {"url": url.rstrip("/"), "key": os.environ.get("AMPLY_STRIPE_KEY", "")}
    return _address(data)


def _address(data: Path | None) -> dict[str, str]:
    """Where the sandbox of a directory (its own or a platform's) says that it is."""
    folders = [DATA_DEFAULT, PLATFORM_DATA] if data is None else [data]
    places = [place for folder in folders for place in (folder, folder / "sandbox")]
    files = [place / server.ADDRESS_FILE for place in places]
    path = next((file for file in files if file.exists()), None)
    if path is None:
        fail(f"no sandbox runs on {' or '.join(map(str, folders))}: `amply sandbox serve`", 2)
    found: dict[str, str] = json.loads(path.read_text())
    return found


async def _ask(
    found: dict[str, str], method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {found['key']}"}
    try:
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, f"{found['url']}/_sandbox/{path}", json=body) as response,
        ):
            answer: dict[str, Any] = await response.json()
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        fail(f"the sandbox at {found['url']} does not answer: {type(error).__name__}")
    if response.status != 200:
        fail(str(answer["error"]["message"]))
    return answer
