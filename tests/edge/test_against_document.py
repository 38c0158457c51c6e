"""The API against the document that it serves: schemathesis makes requests of every operation.

No answer may be a 500, undocumented, or of another shape than documented, whoever asks and however
wrong the request is. `AMPLY_FUZZ_SEED` and `AMPLY_FUZZ_TIMES` (so many times as many requests) play
other runs; the seed is printed.
"""

import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from edge.openapi import document
from edge.organizations.relationships import SCOPES
from edge.organizations.service import create_api_key
from tests.edge.scribe import Scribe
from tests.edge.stand import Stand, gift
from tests.engines import LoopThread

SEED = int(os.environ.get("AMPLY_FUZZ_SEED", "6"))
TIMES = int(os.environ.get("AMPLY_FUZZ_TIMES", "1"))
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
#: A wait of half a minute shows nothing that a short one does not.
WAITING = ("Prefer", "wait")

SCHEMA: Any = schemathesis.openapi.from_dict(document())
OPERATIONS = {one.label: one for one in (result.ok() for result in SCHEMA.get_all_operations())}
#: Who asks, and how many requests of each operation they make, valid ones and others.
ALL, ONE, FORGED = "a key with all scopes", "a key with one scope", "a forged key"
CALLERS = {"nobody": 1, ALL: 4, ONE: 2, FORGED: 1}


@dataclass(frozen=True)
class Served:
    """A running edge, the keys by caller, and what there really is by parameter."""

    url: str
    keys: dict[str, str]
    real: dict[str, str]
    session: requests.Session


@pytest.fixture(scope="module")
def served(stand: Stand, engine_loop: LoopThread) -> Iterator[Served]:
    stack = AsyncExitStack()

    async def start() -> Served:
        slug = "harbour-lights"
        registered = await stand.register(slug=slug, currencies=("EUR", "USD"))
        async with stand.edge_connection() as connection:
            made = {
                name: await create_api_key(
                    connection,
                    master_key=stand.settings.master_key,
                    environment="test",
                    organization=registered.id,
                    name=name,
                    scopes=scopes,
                )
                for name, scopes in ((ALL, tuple(SCOPES)), (ONE, ("ledger:read",)))
            }
        await stand.apply_permissions(registered.id)
        edge = await stack.enter_async_context(stand.serve())
        keys = {name: key.secret for name, key in made.items()}
        donation = (await edge.donate(gift(slug), keys[ALL])).json["id"]
        scribe = Scribe(stand)
        await scribe.record(registered.id)
        await scribe.publish()
        [row] = await stand.fetch("SELECT id FROM ledger.entries WHERE subject = $1", donation)
        real = {
            "organization": slug,
            "slug": slug,
            "donation": donation,
            "entry": row["id"],
            "log": "0",
            "path": "checkpoint",
        }
        forged = keys[ALL][:-8] + "00000000"
        return Served(edge.url, {**keys, FORGED: forged}, real, requests.Session())

    yield engine_loop.run(start())
    engine_loop.run(stack.aclose())


def ask(served: Served, caller: str, case: Any, is_real: bool) -> None:
    if is_real:
        for name in case.path_parameters or {}:
            case.path_parameters[name] = served.real.get(name, case.path_parameters[name])
        if isinstance(case.body, dict) and "organization" in case.body:
            case.body["organization"] = served.real["organization"]
    for name in WAITING:
        for place in (case.headers, case.query):
            if place:
                place.pop(name, None)
    if key := served.keys.get(caller):
        case.headers["Authorization"] = f"Bearer {key}"
    response = case.call(base_url=served.url, session=served.session, timeout=30)
    case.validate_response(response, checks=CHECKS)


def play(served: Served, cases: Any, caller: str, examples: int) -> None:
    @hypothesis.seed(SEED)
    @hypothesis.settings(
        max_examples=examples * TIMES,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, is_real=st.booleans())
    def tried(case: Any, is_real: bool) -> None:
        ask(served, caller, case, is_real)

    tried()


@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_is_a_documented_one(served: Served, label: str) -> None:
    print(f"AMPLY_FUZZ_SEED={SEED} AMPLY_FUZZ_TIMES={TIMES}")
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        cases = OPERATIONS[label].as_strategy(generation_mode=mode)
        for caller, examples in CALLERS.items():
            try:
                play(served, cases, caller, examples)
            except hypothesis.errors.Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE, "nothing about this operation can be wrong"
