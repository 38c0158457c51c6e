"""`amply limits`: how often the keys of single organizations may ask."""

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import asyncpg
import typer

from deploy import limiting
from deploy.cli.console import DATA_DEFAULT, DataOption, console, environment, fail, setting
from edge.limits.policies import ADJUSTABLE, MOST

limits = typer.Typer(
    help="How often the keys of single organizations may ask, where that differs.",
    no_args_is_help=True,
)
T = TypeVar("T")
_Json = Annotated[bool, typer.Option("--json", help="For machines.")]
_Slug = Annotated[str, typer.Argument(help="Short name of the organization.")]
_Rate = Annotated[str, typer.Argument(help=f"One of {', '.join(ADJUSTABLE)}.")]


@limits.command("list")
def list_(
    organization: Annotated[str | None, typer.Option(help="Only this one's, by its slug.")] = None,
    as_json: _Json = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Show who has other rates than everybody."""
    rows = _run(limiting.adjusted(_dsn(data), organization))
    if as_json:
        console.print_json(json.dumps(rows))
        return
    for row in rows:
        console.print(
            f"{row['slug']}: {row['rate']} {_spell(row['most'])}, usually {row['usual']},"
            f" in {row['window_s']} s, since {row['decided_at']}",
            markup=False,
        )
    if not rows:
        console.print("everybody has the usual rates")


@limits.command("set")
def set_(
    organization: _Slug,
    rate: _Rate,
    most: Annotated[int, typer.Argument(min=0, max=MOST, help="In its window; 0: no limit.")],
    as_json: _Json = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Let an organization's keys ask more or less often, from now on."""
    _adjust(organization, rate, most, as_json, data)


@limits.command("reset")
def reset(
    organization: _Slug, rate: _Rate, as_json: _Json = False, data: DataOption = DATA_DEFAULT
) -> None:
    """Give an organization's keys the usual rate again."""
    _adjust(organization, rate, None, as_json, data)


def _adjust(organization: str, rate: str, most: int | None, as_json: bool, data: Path) -> None:
    if rate not in ADJUSTABLE:
        fail(f"{rate} is no rate of keys: there are {', '.join(ADJUSTABLE)}", 2)
    before, after = _run(limiting.adjust(_dsn(data), organization, rate, most))
    if as_json:
        told = {"slug": organization, "rate": rate, "before": before, "after": after}
        console.print_json(json.dumps(told))
    else:
        told_text = f"{organization}: {rate} was {_spell(before)} and is {_spell(after)}"
        console.print(told_text, markup=False)


def _dsn(data: Path) -> str:
    return setting(environment(data), "AMPLY_POSTGRES")


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except limiting.NoSuchOrganizationError as error:
        fail(str(error))
    except (OSError, asyncpg.PostgresError) as error:
        fail(f"PostgreSQL failed: {type(error).__name__}")


def _spell(most: int | None) -> str:
    if most is None:
        return "as usual"
    return "without limit" if most == 0 else str(most)
