"""Which processes a deployment runs, and what each of them is told."""

from pathlib import Path

import pytest

from contracts.environments import refusals
from deploy.deployment import (
    ON_DEMAND,
    PROCESSES,
    WITH_HEALTH_PORT,
    DataDirectory,
    commands,
    role_dsn,
    wanted,
)
from deploy.postgres.migrate import ROLES

EVERYTHING = {
    "AMPLY_ENVIRONMENT": "test",
    "AMPLY_MODE": "development",
    **{name: name.lower() for _, _, names in PROCESSES.values() for name in names},
    **{f"AMPLY_METRICS_PORT_{name}": "1" for name in WITH_HEALTH_PORT},
}


def test_witnesses_are_asked_only_where_a_policy_names_them() -> None:
    without = {name: value for name, value in EVERYTHING.items() if name != "AMPLY_WITNESSES"}
    assert set(wanted(EVERYTHING)) - set(wanted(without)) == {"witnesses"}
    dsn_of = {role: f"postgresql://{role}" for role in ROLES}
    assert "witnesses" not in {one.name for one in commands(without, dsn_of)}
    told = {one.name: one.environment for one in commands(EVERYTHING, dsn_of)}
    assert told["witnesses"]["AMPLY_WITNESSES"] == "amply_witnesses"
    assert "AMPLY_LOG_KEY" not in told["witnesses"], "who asks witnesses cannot sign"


def test_every_process_on_demand_is_one_that_takes_the_setting() -> None:
    assert all(setting in PROCESSES[name][2] for name, setting in ON_DEMAND.items())


@pytest.mark.parametrize("name", PROCESSES)
def test_every_process_is_told_where_it_runs(name: str) -> None:
    told = {one.name: one for one in commands(EVERYTHING, dict.fromkeys(ROLES, "postgresql://d"))}
    assert told[name].environment["AMPLY_MODE"] == "development"


def test_what_is_drawn_for_one_machine_is_refused_elsewhere(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)
    data.create()
    secret = data.key("postgres-roles.key")
    drawn = {
        "AMPLY_MODE": "production",
        "AMPLY_MASTER_KEY": str(data.key_file("master.key")),
        "AMPLY_LOG_PASSPHRASE": str(data.log_passphrase_file()),
        "AMPLY_POSTGRES": role_dsn(
            "postgresql://u:p@db:5432/x?sslmode=verify-full", secret, "fees"
        ),
    }
    assert data.key("master.key") != secret
    assert [one.split()[0] for one in refusals(drawn, lambda path: Path(path).read_text())] == [
        "AMPLY_MASTER_KEY",
        "AMPLY_LOG_PASSPHRASE",
        "AMPLY_POSTGRES",
    ]


def test_a_role_reaches_the_server_as_the_superuser_does() -> None:
    given = "postgresql://postgres:p%40ss@a:1,b:2/postgres?sslmode=verify-full&sslrootcert=/ca.pem"
    dsn = role_dsn(given, b"secret", "edge")
    assert dsn.startswith("postgresql://amply_edge:development-")
    assert dsn.endswith("@a:1,b:2/amply?sslmode=verify-full&sslrootcert=/ca.pem")
