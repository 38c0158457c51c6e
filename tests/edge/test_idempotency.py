import pytest

from edge import idempotency
from edge.errors import ProblemError

KEY = bytes(32)
BODY = {"amount_minor": 1, "donor": {"name": "A", "email": "a@b.c"}}


@pytest.mark.parametrize(
    ("values", "key"),
    [
        (["a"], "a"),
        (["with space and ~!"], "with space and ~!"),
        (["k" * 255], "k" * 255),
        (['"quoted"'], "quoted"),
        ([r'"a \"b\" \\ c"'], r'a "b" \ c'),
        (['"' + "k" * 255 + '"'], "k" * 255),
    ],
)
def test_both_forms_of_a_key_are_read(values: list[str], key: str) -> None:
    assert idempotency.parse_key(values) == key


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ([], "idempotency_key_missing"),
        ([""], "idempotency_key_malformed"),
        (['""'], "idempotency_key_malformed"),
        (["k" * 256], "idempotency_key_malformed"),
        (["café"], "idempotency_key_malformed"),
        (["a\tb"], "idempotency_key_malformed"),
        (["a\udc80"], "idempotency_key_malformed"),
        (['"open'], "idempotency_key_malformed"),
        (['"a"; p=1'], "idempotency_key_malformed"),
        ([r'"a\b"'], "idempotency_key_malformed"),
        (["a", "a"], "idempotency_key_malformed"),
    ],
)
def test_a_missing_or_malformed_key_is_refused(values: list[str], code: str) -> None:
    with pytest.raises(ProblemError) as refused:
        idempotency.parse_key(values)
    assert (refused.value.code, refused.value.kind.status) == (code, 400)


def test_the_fingerprint_is_of_the_meaning_not_of_the_spelling() -> None:
    first = idempotency.fingerprint(KEY, "POST", "/p", "", BODY)
    turned = {"donor": {"email": "a@b.c", "name": "A"}, "amount_minor": 1}
    assert idempotency.fingerprint(KEY, "POST", "/p", "", turned) == first


def test_a_number_beyond_64_bits_has_a_fingerprint_too() -> None:
    one, other = (
        idempotency.fingerprint(KEY, "POST", "/p", "", {"n": 10**30 + more}) for more in (0, 1)
    )
    assert one != other


def test_the_fingerprint_tells_every_part_apart() -> None:
    prints = {
        idempotency.fingerprint(key, method, path, query, body)
        for key, method, path, query, body in [
            (KEY, "POST", "/p", "", BODY),
            (bytes(31) + b"1", "POST", "/p", "", BODY),
            (KEY, "PUT", "/p", "", BODY),
            (KEY, "POST", "/q", "", BODY),
            (KEY, "POST", "/p", "dry_run=1", BODY),
            (KEY, "POST", "/p", "", BODY | {"amount_minor": 2}),
            (KEY, "POST", "/p", "", BODY | {"amount_minor": True}),
            (KEY, "POST", "/p", "", BODY | {"fund": None}),
            (KEY, "POS", "T/p", "", BODY),
        ]
    }
    assert len(prints) == 9
