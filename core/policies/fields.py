"""Kinds of values that policies share: durations, sizes, references to secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

SECRETS_DIR = Path("/run/secrets")
#: Names of the console's own secrets and of the machine's, also as names of files. A node's `auth_ref` that meant one
#: would send it to whoever answers at the node's URL.
_NEVER_LENT = re.compile(
    r"SECRET_KEY.*|SOFIIA_.*|AWS_.*|PG.*|POSTGRES.*|DJANGO_.*|.*PASSWORD.*|.*PASSWD.*|(.*_)?(DATABASE|REDIS)_URLS?",
    re.ASCII,
)
MAX_SECRET_BYTES = 8192

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_AMOUNT = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)([A-Za-z]{1,3})", re.ASCII)
#: A name of this form is one that somebody chose for a secret: PATH and HOME are not.
_LENT = re.compile(r"[A-Z][A-Z0-9_]{0,120}_(KEY|TOKEN|SECRET|URLS?)", re.ASCII)
_FILE = re.compile(r"/run/secrets/[A-Za-z0-9._/-]{1,200}", re.ASCII)
_SECRET = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]{0,127}|file:" + _FILE.pattern, re.ASCII)
_MAX_SECONDS = 3660 * 86_400


def parse_duration(text: str) -> float:
    """Seconds of "500ms", "30s", "5m", "1h", "30d" or "2w". Raises ValueError."""
    seconds = _amount(text, _SECONDS)
    if seconds is None or seconds > _MAX_SECONDS:
        raise ValueError("expected a duration like 500ms, 30s, 5m, 1h or 30d")
    return seconds


def parse_size(text: str) -> int:
    """Bytes of "512B", "64KiB", "20MiB", "2GiB" or "1TiB". Raises ValueError."""
    size = _amount(text, _BYTES)
    if size is None or size != int(size) or size >= 2**63:
        raise ValueError("expected a size like 512B, 64KiB, 20MiB or 2GiB")
    return int(size)


def _amount(text: str, units: Mapping[str, float]) -> float | None:
    match = _AMOUNT.fullmatch(text)
    if match is None or match[2] not in units:
        return None
    number = float(match[1]) if "." in match[1] else int(match[1])
    return number * units[match[2]]


def _duration(value: object, info: ValidationInfo) -> float:
    return parse_duration(value) if isinstance(value, str) else _number(value, info, "30s")


def _size(value: object, info: ValidationInfo) -> int:
    return parse_size(value) if isinstance(value, str) else int(_number(value, info, "20MiB"))


def _number(value: object, info: ValidationInfo, example: str) -> float:
    """Python code may give a plain number of seconds or bytes; a file has to name the unit."""
    named = isinstance(value, int | float) and not isinstance(value, bool)
    if info.mode == "json" or not named or not 0 <= value < 2**63:  # type: ignore[operator]
        raise ValueError(f"expected a number with its unit, like {example}")
    return value  # type: ignore[return-value]


Duration = Annotated[
    float,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d|w)$"}),
]
"""Written "30s", "5m", "1h", "30d", "500ms"; held as seconds."""

Size = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(B|KiB|MiB|GiB|TiB)$"}),
]
"""Written "20MiB"; held as bytes."""


def between(low: str, high: str) -> AfterValidator:
    """Bounds for a Duration: `Annotated[Duration, between("500ms", "1d")]`."""
    least, most = parse_duration(low), parse_duration(high)

    def check(seconds: float) -> float:
        if not least <= seconds <= most:
            raise ValueError(f"expected a duration from {low} to {high}")
        return seconds

    return AfterValidator(check)


class SecretUnavailable(LookupError):
    """A secret that is referred to is not there; the message names the reference, never a value."""


class SecretRef(str):
    """Where a secret is: `env:NAME` or `file:/run/secrets/NAME`. Never the secret itself, so it may be shown and stored.

    Raises ValueError for anything else, for variables that are not named like a secret for others, and for the console's
    own secrets, which no file may lend.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> SecretRef:
        """`text` checked."""
        if not _SECRET.fullmatch(text) or ".." in text:
            raise ValueError("expected env:NAME or file:/run/secrets/NAME, never the secret itself")
        scheme, _, name = text.partition(":")
        check = _refuse_own if scheme == "env" else _refuse_own_file
        check(name)
        return super().__new__(cls, text)

    def resolve(self) -> str:
        """The secret as it is now, without the line end of its file. Raises SecretUnavailable."""
        scheme, _, name = self.partition(":")
        secret = os.environ.get(name, "") if scheme == "env" else self._from_file(name)
        if not secret:
            raise SecretUnavailable(f"{self} is not set")
        if len(secret) > MAX_SECRET_BYTES or not secret.isprintable():
            raise SecretUnavailable(f"{self} is too long or holds control characters")
        return secret

    def _from_file(self, name: str) -> str:
        path = SECRETS_DIR / name.removeprefix("/run/secrets/")
        try:
            with path.open("rb") as file:
                return file.read(MAX_SECRET_BYTES + 1).decode().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as exc:
            raise SecretUnavailable(f"{self} cannot be read") from exc

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Text in a file, checked."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The form of a reference."""
        return {"type": "string", "pattern": f"^(env:{_LENT.pattern}|file:{_FILE.pattern})$"}


def _refuse_own(name: str) -> None:
    if _NEVER_LENT.fullmatch(name.upper()):
        raise ValueError("expected another variable: this one is the console's own secret")
    if not _LENT.fullmatch(name):
        raise ValueError(
            "expected a variable in capitals that ends in _KEY, _TOKEN, _SECRET, _URL or _URLS"
        )


def _refuse_own_file(path: str) -> None:
    parts = path.upper().replace("-", "_").replace(".", "_").removeprefix("/RUN/SECRETS/")
    if any(_NEVER_LENT.fullmatch(part.strip("_")) for part in parts.split("/")):
        raise ValueError("expected another file: this one is the console's own secret")
