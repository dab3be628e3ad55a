"""Durations, sizes and references to secrets."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import TypeAdapter, ValidationError

from core.policies import fields
from core.policies.fields import (
    Duration,
    SecretRef,
    SecretUnavailable,
    Size,
    between,
    parse_duration,
    parse_size,
)

DURATIONS = {
    "0s": 0,
    "500ms": 0.5,
    "30s": 30,
    "5m": 300,
    "1.5h": 5400,
    "36h": 129_600,
    "30d": 2_592_000,
    "2w": 1_209_600,
}
SIZES = {
    "0B": 0,
    "512B": 512,
    "64KiB": 65_536,
    "1.5KiB": 1536,
    "20MiB": 20_971_520,
    "2GiB": 2**31,
    "1TiB": 2**40,
}
NO_DURATIONS = ["", "30", "s", "-5s", "+5s", "5 s", " 5s", "5s ", "5s\n", "5S", "5sec", "1h30m", "1e3s", ".5s", "5.s", "٣٠s",
                "99999999999d", "9" * 1000 + "s", "infs", "nan", "0x5s"]  # fmt: skip
NO_SIZES = [
    "",
    "20",
    "20MB",
    "20Mib",
    "-1B",
    "1.5B",
    "0.3KiB",
    "20 MiB",
    "٢B",
    "9999999999999TiB",
    "9" * 1000 + "B",
]


@pytest.mark.parametrize(("text", "seconds"), DURATIONS.items())
def test_a_duration_is_held_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(("text", "size"), SIZES.items())
def test_a_size_is_held_in_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", NO_DURATIONS, ids=lambda text: repr(text)[:30])
def test_it_refuses_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected a duration like"):
        parse_duration(text)


@pytest.mark.parametrize("text", NO_SIZES, ids=lambda text: repr(text)[:30])
def test_it_refuses_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected a size like"):
        parse_size(text)


def test_a_file_names_the_unit_and_code_may_give_the_number() -> None:
    duration, size = TypeAdapter(Duration), TypeAdapter(Size)

    assert duration.validate_python(30) == 30.0
    assert size.validate_python(1024) == 1024
    for value in (True, -1, float("nan"), float("inf"), None, [1]):
        with pytest.raises(ValidationError):
            duration.validate_python(value)
    for text in ("30", "30.5", "true", "null"):
        with pytest.raises(ValidationError):
            duration.validate_json(text)
        with pytest.raises(ValidationError):
            size.validate_json(text)


def test_bounds_are_told_as_they_are_written() -> None:
    interval = TypeAdapter(Annotated[Duration, between("500ms", "1d")])

    assert interval.validate_json('"500ms"') == 0.5
    for text in ('"499ms"', '"25h"'):
        with pytest.raises(ValidationError, match="expected a duration from 500ms to 1d"):
            interval.validate_json(text)


REFERENCES = [
    "env:SUPERVISOR_API_KEY",
    "env:PROM_TOKEN",
    "env:OPS_APPRISE_URLS",
    "env:ONCALL_URL",
    "env:ONCALL_KEY",
    "env:EDGE_1_SECRET",
    "file:/run/secrets/x",
    "file:/run/secrets/noda1",
    "file:/run/secrets/a/b.key",
]
NO_REFERENCES = ["", "hunter2", "env:", "env:1X", "env:A B", "env:A\n", "ENV:A", "env:ÄB", "file:", "file:/etc/shadow",
                 "file:/run/secrets/", "file:/run/secrets/../../etc/shadow", "file:run/secrets/x", "file:///run/secrets/x",
                 "env:SECRET_KEY", "env:SOFIIA_CONSOLE_API_KEY", "env:DATABASE_URL", "env:REDIS_URL", "env:" + "A" * 200,
                 "env:SECRET_KEY_FALLBACKS", "env:PATH", "env:_x1", "env:prom_token", "env:AWS_SECRET_KEY", "env:DB_PASSWORD_KEY",
                 "env:PGPASSWORD", "env:PG_TOKEN", "env:MAIN_DATABASE_URL", "env:SOFIIA_X_TOKEN", "env:_KEY",
                 "file:/run/secrets/sofiia_console_api_key", "file:/run/secrets/SOFIIA-key", "file:/run/secrets/a/secret_key",
                 "file:/run/secrets/.secret-key.txt", "file:/run/secrets/database_url", "file:/run/secrets/db_password",
                 "file:/run/secrets/sofiia_x/key", "file:/var/run/secrets/x"]  # fmt: skip


@pytest.mark.parametrize("text", REFERENCES)
def test_a_reference_is_text_that_may_be_stored(text: str) -> None:
    reference = TypeAdapter(SecretRef).validate_json(f'"{text}"')

    assert isinstance(reference, SecretRef)
    assert TypeAdapter(SecretRef).dump_json(reference) == f'"{text}"'.encode()


@pytest.mark.parametrize("text", NO_REFERENCES, ids=lambda text: repr(text)[:40])
def test_it_refuses_the_secret_itself_and_the_consoles_own(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected ") as caught:
        SecretRef(text)

    assert "hunter2" not in str(caught.value)


def test_it_reads_the_secret_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = SecretRef("env:NODA1_KEY")
    with pytest.raises(SecretUnavailable, match="env:NODA1_KEY is not set"):
        reference.resolve()

    monkeypatch.setenv("NODA1_KEY", "first")
    assert reference.resolve() == "first"
    monkeypatch.setenv("NODA1_KEY", "second")
    assert reference.resolve() == "second"


def test_a_secret_file_loses_its_line_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "SECRETS_DIR", tmp_path)
    (tmp_path / "noda1").write_text("s3cret\r\n")

    assert SecretRef("file:/run/secrets/noda1").resolve() == "s3cret"


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"a\nb", b"a\x00b", b"a\r\nX-Evil: 1", b"\xff", b"a" * 9000]
)
def test_it_refuses_a_secret_that_could_not_be_a_header(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fields, "SECRETS_DIR", tmp_path)
    (tmp_path / "key").write_bytes(content)

    with pytest.raises(SecretUnavailable, match=r"file:/run/secrets/key ") as caught:
        SecretRef("file:/run/secrets/key").resolve()

    assert "Evil" not in str(caught.value)


def test_a_missing_secret_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "SECRETS_DIR", tmp_path)

    with pytest.raises(SecretUnavailable, match="cannot be read"):
        SecretRef("file:/run/secrets/missing").resolve()
