"""`amply organization`, `member`, `staff` and `key`: what operators decide about whom."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import asyncpg
import typer
from pydantic import ValidationError

from contracts import environments
from deploy.administering import Desk, desk
from deploy.cli.console import DATA_DEFAULT, DataOption, console, environment, fail, setting
from deploy.cli.ledger import ledger_dsn
from deploy.deployment import ORIGIN, DataDirectory
from deploy.operations import store
from edge.errors import ProblemError
from edge.members.decisions import RANKS, STAFF_RANKS
from edge.organizations.decisions import Action
from workers.settings import SettingError, secret_file

T = TypeVar("T")

organization = typer.Typer(help="Take organizations in, agree, freeze them.", no_args_is_help=True)
member = typer.Typer(help="Members of organizations.", no_args_is_help=True)
staff = typer.Typer(help="Who works for the platform.", no_args_is_help=True)
key = typer.Typer(help="API keys of organizations.", no_args_is_help=True)

_Slug = Annotated[str, typer.Argument(help="Slug of the organization.")]
_Person = Annotated[str, typer.Argument(help="The person's id, usr_…")]
_Reason = Annotated[str | None, typer.Option(help="Why; the organization's people read it.")]
_Json = Annotated[bool, typer.Option("--json", help="For machines.")]


@organization.command("create")
def create(
    slug: _Slug,
    name: Annotated[str, typer.Option(help="How it is called.")],
    owner: Annotated[str, typer.Option(help="The person who owns it, usr_…")],
    country: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2.")],
    currency: Annotated[str, typer.Option(help="ISO 4217, of its first fund.")] = "EUR",
    as_json: _Json = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Apply in the name of its owner; `approve` verifies it."""
    values = {"slug": slug, "name": name, "country": country, "default_currency": currency}
    made = _work(lambda at: at.create(owner, values), data)
    _say(made, f"{slug}: {made['id']} is {made['status']}", as_json)


@organization.command("approve")
def approve(
    slug: _Slug, reason: _Reason = None, as_json: _Json = False, data: DataOption = DATA_DEFAULT
) -> None:
    """Verify an organization: its ledger begins, and it takes gifts."""
    _act(slug, "approve", reason, as_json, data)


@organization.command("suspend")
def suspend(
    slug: _Slug,
    reason: Annotated[str, typer.Option(help="Why; the organization's people read it.")],
    as_json: _Json = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Freeze whatever moves its money, at once."""
    _act(slug, "suspend", reason, as_json, data)


@organization.command("reinstate")
def reinstate(
    slug: _Slug, reason: _Reason = None, as_json: _Json = False, data: DataOption = DATA_DEFAULT
) -> None:
    """Undo a suspension."""
    _act(slug, "reinstate", reason, as_json, data)


@member.command("add")
def add(
    slug: _Slug,
    person: _Person,
    role: Annotated[str, typer.Argument(help=f"One of {', '.join(RANKS)}.")],
    until: Annotated[
        datetime | None, typer.Option(help="When an auditor's role ends, in UTC.")
    ] = None,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Give a person a role, in place of the one they have."""
    _person(person)
    if role not in RANKS:
        fail(f"a role is one of {', '.join(RANKS)}", 2)
    if until is not None and role != "auditor":
        fail("only an auditor's role has an end", 2)
    ends_at = None if until is None else until.astimezone()
    found = _organization(slug, data)
    known: Any = role
    _work(lambda at: at.add_member(found, person, known, ends_at), data)
    console.print(f"{slug}: {person} is {role}", markup=False)


@staff.command("set")
def set_staff(
    person: _Person,
    role: Annotated[str, typer.Argument(help=f"One of {', '.join(STAFF_RANKS)}.")],
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Give a person a role at the platform: the first superuser comes so."""
    _person(person)
    if role not in STAFF_RANKS:
        fail(f"a role is one of {', '.join(STAFF_RANKS)}", 2)
    _work(lambda at: at.set_staff(person, role), data)
    console.print(f"{person} is {role}", markup=False)


@staff.command("remove")
def remove_staff(person: _Person, data: DataOption = DATA_DEFAULT) -> None:
    """Take a person's role at the platform."""
    _person(person)
    _work(lambda at: at.set_staff(person, None), data)
    console.print(f"{person} is no staff", markup=False)


@key.command("create")
def create_key(
    slug: _Slug,
    name: Annotated[str, typer.Option(help="What the key is for.")],
    scope: Annotated[list[str] | None, typer.Option(help="A scope; as often as needed.")] = None,
    origin: Annotated[
        list[str] | None, typer.Option(help="Makes a publishable key, for pages of this origin.")
    ] = None,
    as_json: _Json = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Make a key and print its secret, this once."""
    values: dict[str, Any] = {"name": name, "scopes": scope or []}
    if origin:
        values |= {"kind": "publishable", "origins": origin}
    found = _organization(slug, data)
    made = _work(lambda at: at.create_key(found, values), data)
    _say(made, f"{made['id']}\n{made['secret']}", as_json)


@key.command("rotate")
def rotate_key(
    identifier: Annotated[str, typer.Argument(metavar="KEY", help="The key's id, key_…")],
    overlap_hours: Annotated[
        int, typer.Option(min=0, max=168, help="How long the secret before still serves.")
    ] = 24,
    as_json: _Json = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Give a key another secret and print it, this once."""
    made = _work(lambda at: at.rotate_key(identifier, overlap_hours), data)
    if made is None:
        fail(f"there is no key {identifier}")
    _say(made, f"{made['id']}\n{made['secret']}", as_json)


@key.command("revoke")
def revoke_key(
    identifier: Annotated[str, typer.Argument(metavar="KEY", help="The key's id, key_…")],
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Let a key open nothing any more, at once."""
    if not _work(lambda at: at.revoke_key(identifier), data):
        fail(f"there is no key {identifier}")
    console.print(f"{identifier} is revoked", markup=False)


def _act(slug: str, action: Action, reason: str | None, as_json: bool, data: Path) -> None:
    found = _organization(slug, data)
    done = _work(lambda at: at.act(found, action, reason), data)
    _say(done, f"{slug} is {done['status']}", as_json)


def _say(value: dict[str, Any], text: str, as_json: bool) -> None:
    console.print(
        json.dumps(value) if as_json else text, markup=False, soft_wrap=True, highlight=False
    )


def _person(person: str) -> None:
    if not person.startswith("usr_"):
        fail("a person's id has the form usr_…", 2)


def _organization(slug: str, data: Path) -> str:
    dsn = setting(environment(data), "AMPLY_POSTGRES")

    async def find() -> str | None:
        connection = await asyncpg.connect(dsn)
        try:
            return await store.organization_id(connection, slug)
        finally:
            await connection.close()

    try:
        found = asyncio.run(find())
    except (OSError, asyncpg.PostgresError) as error:
        fail(f"PostgreSQL does not answer: {type(error).__name__}")
    if found is None:
        fail(f"there is no organization {slug}")
    return found


def _work(what: Callable[[Desk], Awaitable[T]], data: Path) -> T:
    values, folder = environment(data), DataDirectory(data.absolute())
    given = {"AMPLY_MASTER_KEY": str(folder.keys / "master.key"), **values}
    try:
        master_key = secret_file(given, "AMPLY_MASTER_KEY", "the file of the master key")
        rules = environments.RULES[environments.mode_of(values)]
    except (SettingError, ValueError) as error:
        fail(str(error), 2)

    async def run() -> T:
        dsn, origin = ledger_dsn(data, "edge"), values.get("AMPLY_LOG_ORIGIN") or ORIGIN
        async with desk(dsn, master_key, rules.environment, origin) as at:
            return await what(at)

    try:
        return asyncio.run(run())
    except ProblemError as problem:
        fail(problem.detail)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        fail(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", 2)
    except (OSError, asyncpg.PostgresError) as error:
        fail(f"PostgreSQL does not answer: {type(error).__name__}")
