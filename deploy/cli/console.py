"""What every command shares: the console, the running platform's addresses, plain failures."""

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from rich.console import Console

from contracts import environments

_STATED: Final = ("AMPLY_MODE", "AMPLY_ENVIRONMENT")
#: Where no terminal says how wide it is, tables are wide enough for whole ids.
WIDTH_ELSEWHERE: Final = 200

console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH_ELSEWHERE)
errors = Console(stderr=True, highlight=False)

DataOption = Annotated[
    Path,
    typer.Option("--data", help="The data directory of the platform.", envvar="DATA"),
]
DATA_DEFAULT = Path(".amply")


def fail(message: str, status: int = 1) -> NoReturn:
    """Say what went wrong in plain words and end."""
    errors.print(f"amply: {message}", style="red", markup=False)
    raise typer.Exit(status)


def environment(data: Path) -> dict[str, str]:
    """The platform's addresses and keys: `DATA/amply.env`, overridden by the environment."""
    path = data / "amply.env"
    values: dict[str, str] = {}
    if path.exists():
        for line in path.read_text().splitlines():
            name, _, value = line.partition("=")
            values[name] = "".join(shlex.split(value))
    values.update({name: value for name, value in os.environ.items() if name.startswith("AMPLY_")})
    if any(name in values for name in _STATED):
        try:
            environments.require_allowed(values, lambda path: Path(path).read_text("utf-8"))
        except ValueError as error:
            fail(str(error), 2)
    return values


def setting(values: dict[str, str], name: str) -> str:
    """A setting that the command cannot do without."""
    if not values.get(name):
        fail(f"{name} is not known: start the platform with `amply up`, or set it", 2)
    return values[name]
