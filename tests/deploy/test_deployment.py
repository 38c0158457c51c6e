"""Which processes a deployment runs, and what each of them is told."""

from deploy.deployment import ON_DEMAND, PROCESSES, WITH_HEALTH_PORT, commands, wanted
from deploy.postgres.migrate import ROLES

EVERYTHING = {
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
