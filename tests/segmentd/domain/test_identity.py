from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentd.domain.identity import email_key, tag_key


@pytest.mark.parametrize(
    ("email", "key"),
    [
        ("Ada@Shopper.Example", "ada@shopper.example"),
        ("  ada@shopper.example\n", "ada@shopper.example"),
        ("ada.l+news@shopper.example", "ada.l+news@shopper.example"),
        ("Zoe\u0308@shopper.example", "zoë@shopper.example"),
        ('"a@b"@shopper.example', '"a@b"@shopper.example'),
        ("ada@", None),
        ("@shopper.example", None),
        ("ada", None),
        ("ada l@shopper.example", None),
        ("", None),
        (None, None),
    ],
)
def test_email_addresses(email: str | None, key: str | None) -> None:
    assert email_key(email) == key


@given(st.emails())
def test_case_and_blanks_do_not_make_another_person(email: str) -> None:
    assert email_key(f" {email.upper()} ") == email_key(email) is not None


@given(st.text(max_size=30))
def test_a_tag_is_compared_without_case_and_outer_blanks(tag: str) -> None:
    assert tag_key(f" {tag}\t") == tag_key(tag)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("VIP", "vip ", True), ("STRASSE", "Straße", True), ("VIP", "V.I.P", False)],
)
def test_tags(one: str, other: str, same: bool) -> None:
    assert (tag_key(one) == tag_key(other)) is same


@given(st.text(max_size=20).map(lambda text: text + "@shopper.example"))
def test_a_key_is_its_own_key(email: str) -> None:
    key = email_key(email)
    if key is not None:
        assert email_key(key) == key
        assert unicodedata.is_normalized("NFC", key)
