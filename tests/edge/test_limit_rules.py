"""Counts by properties, on a real PostgreSQL at times that the tests say; and addresses."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.limits import settings as limit_settings
from edge.limits import store
from edge.limits.addresses import client_of, is_exempt, read_networks
from edge.limits.rules import Limits, Rule, hits_of, is_disposable, read_domains, retry_after_s
from tests.edge.stand import Stand
from tests.engines import LoopThread

START_S = 1_900_000_000.0
#: Pauses, in parts of the window, and how many hits come then.
HITS = st.lists(
    st.tuples(st.one_of(st.floats(0, 0.1), st.floats(0.7, 1.2)), st.integers(1, 8)), max_size=25
)


async def grant(
    connection: Any, rule: Rule, hits: list[tuple[float, int]]
) -> list[tuple[float, int]]:
    """(when, how many) of what was granted of these hits (part of the window before, how many)."""
    now_s, granted = START_S, []
    for pause_s, count in hits:
        now_s += pause_s * rule.window_s
        row = (rule.name, bytes(32), count, rule.most, rule.slot_s)
        [counted] = await store.count(connection, [row], now_s=now_s)
        granted.append((now_s, counted["granted"]))
        wait_s = retry_after_s(rule, counted["slot"], counted["hits"], now_s)
        assert 1 <= wait_s <= rule.window_s + rule.slot_s + 1
        if counted["granted"] < count:
            row = (rule.name, bytes(32), 1, rule.most, rule.slot_s)
            [later] = await store.count(connection, [row], now_s=now_s + wait_s)
            assert later["granted"] == 1, "who comes again when told is let in"
            now_s += wait_s
            granted.append((now_s, 1))
    return granted


async def in_a_transaction(stand: Stand, rule: Rule, hits: Any) -> list[tuple[float, int]]:
    async with stand.edge_connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            return await grant(connection, rule, hits)
        finally:
            await transaction.rollback()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(1, 10), st.sampled_from([6, 60, 61]), HITS)
def test_no_window_of_time_ever_grants_more_than_the_limit(
    stand: Stand, engine_loop: LoopThread, most: int, window_s: int, hits: Any
) -> None:
    rule = Rule("address", most, window_s)
    granted = engine_loop.run(in_a_transaction(stand, rule, hits))
    for began, _ in granted:
        within = [count for now_s, count in granted if began <= now_s < began + window_s]
        assert sum(within) <= most
    for number, (_, count) in enumerate(hits[:1]):
        assert granted[number][1] == min(count, most), "nothing is refused without need"


async def test_a_clock_that_goes_back_forgets_nothing(stand: Stand) -> None:
    granted = []
    async with stand.edge_connection() as connection:
        for now_s in (START_S, START_S - 30, START_S):
            [row] = await store.count(connection, [("back", bytes(32), 2, 3, 10.0)], now_s=now_s)
            granted.append(row["granted"])
    assert granted == [2, 1, 0]


def test_what_is_refused_alone_is_asked_before_what_all_share() -> None:
    limits = Limits(
        per_address=Rule("address", 1, 60),
        disposable_mail=Rule("disposable_mail", 1, 60),
        per_organization=Rule("organization", 1, 60),
        overall=Rule("overall", 1, 60),
        disposable_domains=frozenset({"trash.example"}),
    )
    names = [hit.rule.name for hit in hits_of(limits, "192.0.2.1", "org_1", "a@trash.example")]
    assert names == ["address", "disposable_mail", "organization", "overall"]
    assert [hit.rule.name for hit in hits_of(limits, None, "org_1", None)] == names[2:]
    assert hits_of(Limits(), "192.0.2.1", "org_1", "a@trash.example") == []


def test_lists_of_domains_are_read_by_line() -> None:
    domains = read_domains("# thrown away\n Trash.Example \n@other.example # soon\n\n")
    assert domains == {"trash.example", "other.example"}
    assert is_disposable("a@x.trash.example", domains)
    assert is_disposable("a@TRASH.example", domains)
    assert not is_disposable("trash.example@example.org", domains)
    assert not is_disposable("a@notrash.example", domains)


TRUSTED = read_networks("10.0.0.0/8, 2001:db8:ffff::/48")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.1", [], "198.51.100.1"),
        ("198.51.100.1", ["192.0.2.1"], "198.51.100.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["1.1.1.1, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
        ("10.0.0.1", ["1.1.1.1", "192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["192.0.2.1:4711"], "192.0.2.1"),
        ("10.0.0.1", ["1.1.1.1, unknown"], None),
        ("10.0.0.1", ["1.1.1.1, "], None),
        ("::ffff:10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("2001:db8:ffff::1", ["2001:db8:1:2:3::4"], "2001:db8:1:2::/64"),
        ("2001:db8:ffff::1", ["[2001:db8:1:2:ffff::9]:443"], "2001:db8:1:2::/64"),
        (None, ["192.0.2.1"], None),
    ],
)
def test_a_client_is_who_the_last_trusted_proxy_names(
    peer: str | None, forwarded: list[str], client: str | None
) -> None:
    assert client_of(peer, forwarded, TRUSTED) == client


def test_networks_of_clients_are_compared_by_their_beginning() -> None:
    assert is_exempt("2001:db8:1:2::/64", read_networks("2001:db8:1::/48"))
    assert not is_exempt("2001:db9::/64", read_networks("2001:db8:1::/48, 192.0.2.1"))
    assert is_exempt("192.0.2.1", read_networks("192.0.2.1"))


def test_defaults_hold_when_live_and_in_a_sandbox_what_is_set(tmp_path: Path) -> None:
    live = limit_settings.load({"AMPLY_ENVIRONMENT": "live"})
    rules = (live.per_address, live.disposable_mail, live.per_organization, live.overall)
    assert [(rule.most, rule.window_s) for rule in rules] == [
        *((5, 60), (50, 3600), (300, 60), (1000, 60)),
    ]
    assert "mailinator.com" in live.disposable_domains
    (tmp_path / "more").write_text("trash.example\n")
    test = limit_settings.load(
        {
            "AMPLY_ENVIRONMENT": "test",
            "AMPLY_LIMIT_GIFTS_PER_MINUTE": "7",
            "AMPLY_DISPOSABLE_DOMAINS": str(tmp_path / "more"),
        }
    )
    assert (test.per_address.most, test.overall.most) == (0, 7)
    assert {"mailinator.com", "trash.example"} <= test.disposable_domains


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AMPLY_LIMIT_GIFTS_PER_MINUTE", "many"),
        ("AMPLY_LIMIT_GIFTS_PER_ADDRESS_PER_MINUTE", "-1"),
        ("AMPLY_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("AMPLY_DENIED_ADDRESSES", "nowhere"),
        ("AMPLY_LIMIT_EXEMPT_ADDRESSES", "10.0.0"),
        ("AMPLY_DISPOSABLE_DOMAINS", "/nowhere/at/all"),
    ],
)
def test_a_wrong_limit_is_named(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        limit_settings.load({name: value})
