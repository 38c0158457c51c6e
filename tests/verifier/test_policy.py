import pytest

from amply_verify.errors import NoteError
from amply_verify.note import COSIGNATURE, Signer
from amply_verify.policy import parse_policy

WITNESSES = [Signer(f"w{n}.example", bytes([n]) * 32, COSIGNATURE).key for n in range(6)]
LOG = Signer("log.example/log/0", bytes([9]) * 32).key
THREE = "\n".join(f"witness X{n} {WITNESSES[n]}" for n in range(3))
TWO = "\n".join(f"witness Y{n} {WITNESSES[n]} https://w.example/" for n in range(3, 5))


def who(*numbers: int) -> set[tuple[str, bytes]]:
    return {(WITNESSES[n].name, WITNESSES[n].key_id) for n in numbers}


def test_groups_of_groups() -> None:
    policy = parse_policy(
        f"# two levels\nlog {LOG}\n\n{THREE}\n  group\tX 2 X0 X1 X2\n{TWO}\n"
        "group Y any Y3 Y4\ngroup both all X Y\nquorum both\n"
    )
    assert policy.is_met(who(0, 2, 4))
    assert policy.is_met(who(0, 1, 2, 3, 4))
    assert not policy.is_met(who(0, 4))
    assert not policy.is_met(who(0, 1, 2))
    assert not policy.is_met(set())
    assert policy.allows_log(LOG)
    assert not policy.allows_log(Signer(LOG.name, bytes(32)).key)


def test_no_quorum_is_a_policy_too() -> None:
    policy = parse_policy("quorum none")
    assert policy.is_met(set())
    assert policy.allows_log(LOG)


def test_a_single_witness() -> None:
    policy = parse_policy(f"{THREE}\nquorum X1\n")
    assert policy.is_met(who(1))
    assert not policy.is_met(who(0, 2))


def test_the_addresses_of_witnesses_are_kept_as_they_stand() -> None:
    policy = parse_policy(f"{THREE}\n{TWO}\nquorum X1\n")
    assert policy.urls == {"Y3": "https://w.example/", "Y4": "https://w.example/"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "quorum X",
        "quorum none\nquorum none",
        f"{THREE}\nquorum X3",
        f"{THREE}\ngroup X 4 X0 X1 X2\nquorum X",
        f"{THREE}\ngroup X 0 X0 X1 X2\nquorum X",
        f"{THREE}\ngroup X 01 X0 X1 X2\nquorum X",
        f"{THREE}\ngroup X some X0\nquorum X",
        f"{THREE}\ngroup X all\nquorum X",
        f"{THREE}\ngroup X all X0 X0\nquorum X",
        f"{THREE}\ngroup X all X0\ngroup Z all X0\nquorum X",
        f"{THREE}\ngroup X all none\nquorum X",
        f"{THREE}\ngroup X0 all X1\nquorum X0",
        f"{THREE}\ngroup X all X\nquorum X",
        f"quorum X0\n{THREE}",
        f"witness none {WITNESSES[0]}\nquorum none",
        f"witness a {WITNESSES[0]}\nwitness b {WITNESSES[0]}\nquorum a",
        f"log {LOG}\nlog {LOG}\nquorum none",
        f"log {WITNESSES[0]}\nquorum none",
        f"witness a {LOG}\nquorum a",
        "witness a broken\nquorum a",
        f"{THREE} url more\nquorum X0",
        "quorum none\r\n",
        "quorum none\nsomething else",
    ],
)
def test_a_policy_that_breaks_a_rule_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_policy(text)


def test_the_line_is_named() -> None:
    with pytest.raises(NoteError, match="line 4: X9 is not defined"):
        parse_policy(f"{THREE}\nquorum X9")
