"""Passwords in URIs are hidden wherever they may be seen."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.passwords import has_password, is_masked, masked, masked_tree, without_credentials


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:secret@127.0.0.1:5000", "http://me:***@127.0.0.1:5000"),
        ("postgresql+psycopg2://me:se%40cret@host/db", "postgresql+psycopg2://me:***@host/db"),
        ("http://me:a@b@host/x", "http://me:***@host/x"),
        ("mysql://me:a/b@host/db", "mysql://me:***@host/db"),
        ("http://me:p@ss#word@host", "http://me:***@host"),
        ("http://me:0@#@host", "http://me:***@host"),
        ("https://:secret@host", "https://:***@host"),
        ("https://dapi0123@host:8080/x", "https://***@host:8080/x"),
        ("https://dapi0123:@host/x", "https://***@host/x"),
        ("see https://dapi0123:@host, https://me:secret@host", "see https://***@host, https://me:***@host"),
        ("https://ghp0123:x-oauth-basic@host/x", "https://***@host/x"),
        ("http://me:@secret@host", "http://me:***@host"),
        ("https://host/x?sig=abc&se=1", "https://host/x?sig=***&se=1"),
        ("https://host/x?X-Amz-Signature=abc", "https://host/x?X-Amz-Signature=***"),
        ("s3://host/x?access-key=abc", "s3://host/x?access-key=***"),
        ("see HTTP://to@ken@host/x", "see HTTP://***@host/x"),
        ("postgresql://host/db?user=me&password=secret", "postgresql://host/db?user=me&password=***"),
        ("mssql://host/db?PWD=secret&driver=x", "mssql://host/db?PWD=***&driver=x"),
        ("https://host/api?access_token=abc#/x", "https://host/api?access_token=***#/x"),
        ("cannot parse 'http://me:secret@host' at all", "cannot parse 'http://me:***@host' at all"),
        ("from http://a:b@c to http://d:e@f", "from http://a:***@c to http://d:***@f"),
    ],
)
def test_passwords_are_masked_also_inside_other_text(text: str, shown: str) -> None:
    assert masked(text) == shown
    assert masked(shown) == shown
    assert has_password(text)
    assert not has_password(shown)
    assert is_masked(shown)


@pytest.mark.parametrize(
    "text",
    [
        "http://host:5000",
        "http://[::1]:5000/x",
        "http://host/x?mail=a@b",
        "ssh://git@host/x",
        "http://host/x?design=a&signal=b",
        "sqlite:////data/a@b:c.db",
        "me:secret at host",
        "databricks",
    ],
)
def test_what_holds_no_password_stays(text: str) -> None:
    assert masked(text) == text
    assert not has_password(text)
    assert not is_masked(text)


@given(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=3), st.sampled_from(["http", "mysql"]))
def test_no_part_of_any_password_is_left(password: str, scheme: str) -> None:
    assert masked(f"{scheme}://me:{password}@h") == f"{scheme}://me:***@h"


@pytest.mark.parametrize("text", ["x" * 100_000, "&x" * 50_000, "://" * 2_000, "://x:" * 2_000])
def test_long_texts_take_no_time(text: str) -> None:
    began = time.monotonic()
    masked(text)
    assert time.monotonic() - began < 5


def test_one_place_has_one_name_whoever_goes_there() -> None:
    uris = ["http://me:a@host:1/x", "http://me:***@host:1/x", "http://host:1/x", "http://you@host:1/x"]
    assert {without_credentials(uri) for uri in uris} == {"http://host:1/x"}
    queries = ["postgresql://h/d?password=a", "postgresql://h/d?password=***", "postgresql://h/d"]
    assert {without_credentials(uri) for uri in queries} == {"postgresql://h/d"}
    assert without_credentials("postgresql://h/d?password=a&user=me") == "postgresql://h/d?user=me"


def test_a_whole_configuration_is_masked() -> None:
    config = {"tracking": {"uri": "http://me:secret@host"}, "list": ["http://me:secret@host", 1, None]}
    assert masked_tree(config) == {
        "tracking": {"uri": "http://me:***@host"},
        "list": ["http://me:***@host", 1, None],
    }
