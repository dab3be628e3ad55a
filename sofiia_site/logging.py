"""One line per record: for people (`LOG_FORMAT=console`) or for machines (`json`). Line breaks never leave a record."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import orjson

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    return {
        key: value
        for key, value in vars(record).items()
        if key not in _STANDARD and isinstance(value, str | int | float | bool | None)
    }


def _escape(text: str) -> str:
    """Control characters and Unicode line ends as escapes, so that no text from outside can forge a line."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


class JsonFormatter(logging.Formatter):
    """`{"ts","level","logger","message", …extra}` on one line."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _escape(record.getMessage()),
            **{
                key: _escape(value) if isinstance(value, str) else value
                for key, value in _extras(record).items()
            },
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(fields, default=str).decode()


class ConsoleFormatter(logging.Formatter):
    """`12:03:11 INFO  nodes  message  key=value`."""

    def format(self, record: logging.LogRecord) -> str:
        clock = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        extras = "".join(f"  {key}={_escape(str(value))}" for key, value in _extras(record).items())
        line = (
            f"{clock} {record.levelname:<7} {record.name}  {_escape(record.getMessage())}{extras}"
        )
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class StrangersNoise(logging.Filter):
    """Drops what anybody outside can make uvicorn say at will; the second is said of every handshake we deny on purpose."""

    MESSAGES = frozenset(
        {"Invalid HTTP request received.", "ASGI callable returned without completing handshake."}
    )

    def filter(self, record: logging.LogRecord) -> bool:
        return record.msg not in self.MESSAGES


def logging_config(log_format: str) -> dict[str, Any]:
    """`LOGGING` for Django: everything to standard error, one format."""
    formatter = JsonFormatter if log_format == "json" else ConsoleFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "filters": {"strangers": {"()": StrangersNoise}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            "django": {"level": "WARNING"},
            # Every refused request is an audit row or an access metric already.
            "django.request": {"level": "ERROR"},
            "django.security": {"level": "ERROR"},
            "uvicorn": {"level": "WARNING"},
            "uvicorn.error": {"filters": ["strangers"]},
            "httpx": {"level": "WARNING"},
            "psycopg.pool": {
                "level": "ERROR"
            },  # one line for each try; the fault itself is told elsewhere
        },
    }
