"""Secrets and control characters never reach a log, a terminal or a mail."""

from __future__ import annotations

import json
import re
import time
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from framejury.redaction import HIDDEN, printable, redacted

# What keys, signatures and passwords are made of; slashes and plus signs as in AWS's.
SECRET = st.text("abcdefXYZ0189+/=_~.-", min_size=8, max_size=48).map(lambda text: f"Q{text}Z")
WORDS = st.text("abc ,.;()[]<>'\"ü\n", max_size=20)

SHAPES = {
    "s3": "s3://AKIAIOSFODNN7EXAMPLE:{}@bucket/day/clip.mp4",
    "s3a": "s3a://key:{}@bucket",
    "user and password": "https://user:{}@host:8443/x?y=z",
    "no user": "redis://:{}@host",
    "signature": "https://b.s3.amazonaws.com/k?X-Amz-Date=2024&X-Amz-Signature={}&x=1",
    "credential": "https://b/k?X-Amz-Credential={}&X-Amz-Date=2024",
    "session": "https://b/k?X-Amz-Security-Token={}",
    "gcs": "https://storage/k?X-Goog-Signature={}",
    "sas": "https://a.blob.core.windows.net/c/k?sv=2022&sig={}&se=2024",
    "api key": "https://host/v1?key={}",
    "environment": "AWS_SECRET_ACCESS_KEY={}",
    "environment, session": "AWS_SESSION_TOKEN = {}",
    "hadoop": "fs.s3a.secret.key={}",
    "hadoop, azure": "fs.azure.account.key.x.dfs.core.windows.net={}",
    "spark": "--conf spark.authenticate.secret={}",
    "spark, ssl": "spark.ssl.keyPassword: {}",
    "password": "password={}",
    "passwd": "db_passwd: {}",
    "pwd": "(pwd={})",
    "token": "token={}",
    "json": '{{"password": "{}", "x": 1}}',
    "json in json": '"{{\\"client_secret\\": \\"{}\\"}}"',
    "python": "{{'secret_key': '{}'}}",
    "xml": "<SecretAccessKey>{}</SecretAccessKey>",
    "option": "framejury --token {} nightly",
    "bearer": "Authorization: Bearer {}",
    "bearer alone": "the bearer {} has expired",
    "basic, unquoted": "< Authorization: Basic {}",
    "basic": "{{'Authorization': 'Basic {}'}}",
    "pair": "AKIAIOSFODNN7EXAMPLE/{}",
    "percent-encoded": "https%3A%2F%2Fb%2Fk%3FX-Amz-Signature%3D{}",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@given(secret=SECRET, before=WORDS, after=WORDS)
@settings(max_examples=60, deadline=None)
def test_no_secret_is_left(shape: str, secret: str, before: str, after: str) -> None:
    text = f"{before} {shape.format(secret)} {after}"
    found = redacted(text, {})
    assert secret not in found
    assert HIDDEN in found
    assert found.startswith(before)


@given(st.text("pa:/@s3_k", max_size=30), SECRET)
@settings(max_examples=200, deadline=None)
def test_passwords_may_hold_what_they_should_not(head: str, secret: str) -> None:
    password = f"{head}@{secret}".replace("/", "")
    assert secret not in redacted(f"https://user:{password}@host/x", {})


@pytest.mark.parametrize("scheme", ["s3", "s3a", "s3n", "gs", "gcs"])
def test_half_a_secret_that_a_parser_cut_off(scheme: str) -> None:
    # A slash in a secret ends the authority, so the rest goes for a path.
    assert "wJalrXUtn" not in redacted(f"cannot reach {scheme}://minio:wJalrXUtn/ (...)", {})


@given(SECRET, WORDS)
@example("Q++/////=Z", "")
@settings(max_examples=100, deadline=None)
def test_values_of_the_environment_are_known_wherever_they_stand(secret: str, around: str) -> None:
    environment = {"MY_DB_PASSWORD": secret, "HOME": "/home/x"}
    for form in (secret, quote(secret, safe="")):
        found = redacted(f"{around}{form}{around} /home/x", environment)
        assert form not in found
        assert found.endswith("/home/x")


def test_short_words_of_the_environment_stay() -> None:
    assert redacted("on the way", {"TOKEN_KIND": "on"}) == "on the way"


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/folder/clip@2x.mp4",
        "s3://bucket/a:b@c.mp4",
        "hdfs://namenode:8020/videos/a@b.mp4",
        "abfss://container@account.dfs.core.windows.net/videos/x.mp4",
        "/videos/token_ring.mp4",
        "no bundle at /models/x: model.onnx has digest 0123456789abcdef0123456789abcdef",
        "limits.timeout_s = 300 seconds; 3 of 4 videos (75%)",
        "basic authentication and digest comparison",
        "http://localhost:4040/jobs?id=3",
        "key frames: 12",
        "design=new bypass: yes",
        "12 passed; author: A. Müller",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text, {}) == text


def test_the_rest_of_an_address_is_still_of_use() -> None:
    assert redacted("s3://K:S3CR3T@bucket/a.mp4", {}) == f"s3://{HIDDEN}@bucket/a.mp4"
    assert redacted("https://h/k?sig=abcdef&se=1", {}) == f"https://h/k?sig={HIDDEN}&se=1"


@given(st.text(st.characters(exclude_characters=":=@%-&?>"), max_size=200))
@settings(max_examples=300, deadline=None)
def test_text_without_keys_and_addresses_stays(text: str) -> None:
    assert redacted(text, {}) == text


@pytest.mark.parametrize(
    "text",
    [
        "a" * 50_000,
        "token" * 10_000,
        "://" * 50_000,
        "-" * 400_000,
        "\\" * 50_000,
        'token="' * 7_000,
    ],
    ids=lambda text: text[:6],
)
def test_no_text_takes_long(text: str) -> None:
    started_s = time.process_time()
    redacted(text, {})
    assert time.process_time() - started_s < 3


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_printable_text_is_one_line_and_moves_no_cursor(text: str) -> None:
    found = printable(text)
    assert len(found.splitlines()) <= 1
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", found)
    json.dumps(found).encode("utf-8")
    found.encode("utf-8")  # half a character of a file name in no known coding too


@pytest.mark.parametrize(
    "char", "\n\r\t\x1b\x7f\x85\x9b\u2028\u2029\u202e\u2066\u200f\udcff", ids=ascii
)
def test_characters_that_are_shown_as_escapes(char: str) -> None:
    found = printable(f"a{char}b")
    assert found.isascii() and found.isprintable() and found[:2] == "a\\"


def test_printable_text_stays_readable() -> None:
    assert printable("Ü b/中文.mp4") == "Ü b/中文.mp4"
    assert printable("a\nb\x1b[2J\udcff") == r"a\nb\x1b[2J\udcff"
