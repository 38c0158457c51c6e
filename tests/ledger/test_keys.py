import base64
from typing import Any

import pytest

from amply_verify import canonical
from amply_verify.entry import check_entry, check_opening
from ledger import keys, personal_data
from ledger.entry import Composer, DonorSeal, spell_time
from tests.ledger.making import NOON, ORIGIN, donation, name

PROFILE = name("prof", 1)
DONOR = {"display": "public", "email": "ana@example.org", "name": "Ana é"}


def test_purposes_have_keys_of_their_own() -> None:
    master = bytes(32)
    assert keys.derive(master, "a") != keys.derive(master, "b")
    # HMAC-SHA256 of "a" under 32 zero bytes: the derivation must never change.
    expected = "9615a95d4a336118c435b9cd54c5e8644ab956b573aa2926274a1280b6674713"
    assert keys.derive(master, "a").hex() == expected
    with pytest.raises(ValueError, match="32 bytes"):
        keys.derive(b"short", "a")


def test_a_ciphertext_opens_with_its_key_and_object_only() -> None:
    key = keys.new_data_key()
    ciphertext = keys.encrypt(key, b"plain", b"object")
    assert keys.decrypt(key, ciphertext, b"object") == b"plain"
    assert ciphertext != keys.encrypt(key, b"plain", b"object")
    changed = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
    wrong = [
        (keys.new_data_key(), ciphertext, b"object"),
        (key, ciphertext, b"another"),
        (key, changed, b"object"),
        (key, ciphertext[:20], b"object"),
    ]
    for arguments in wrong:
        with pytest.raises(keys.DecryptionError):
            keys.decrypt(*arguments)


def test_a_wrapped_key_is_one_profile_s() -> None:
    ring, key = keys.KeyRing(bytes(32)), keys.new_data_key()
    wrapped = ring.wrap(key, PROFILE)
    assert ring.unwrap(wrapped, PROFILE) == key
    with pytest.raises(keys.DecryptionError):
        ring.unwrap(wrapped, name("prof", 2))
    with pytest.raises(keys.DecryptionError):
        keys.KeyRing(bytes([1] * 32)).unwrap(wrapped, PROFILE)


def test_a_sealed_donor_opens_as_the_format_asks() -> None:
    key = keys.new_data_key()
    seal, ciphertext = personal_data.seal_donor(DONOR, PROFILE, key)
    opening = personal_data.open_donor(ciphertext, PROFILE, key)
    assert opening["value"] == DONOR
    request = donation(name("org", "A"), 1, donor=DonorSeal(PROFILE, seal, ciphertext))
    composed = Composer(ORIGIN).compose(request, 1, "0" * 64, spell_time(NOON))
    entry = check_entry(canonical.parse(composed.data))
    assert check_opening(entry, "donor", opening).value == DONOR
    assert b"Ana" not in base64.b64decode(ciphertext)
    assert personal_data.seal_donor(DONOR, PROFILE, key)[0] != seal


@pytest.mark.parametrize(
    "donor", [{"sealed": "x"}, {"name": "\0"}, {"name": "\ud800"}, {"age": 1.5}]
)
def test_a_donor_that_cannot_be_sealed_is_refused_without_quoting_it(donor: dict[str, Any]) -> None:
    with pytest.raises(personal_data.PersonalDataError) as caught:
        personal_data.seal_donor(donor, PROFILE, keys.new_data_key())
    assert "\0" not in str(caught.value)


@pytest.mark.parametrize("opening", ["?", "AAAA"])
def test_what_is_no_ciphertext_does_not_open(opening: str) -> None:
    with pytest.raises(keys.DecryptionError):
        personal_data.open_donor(opening, PROFILE, keys.new_data_key())
