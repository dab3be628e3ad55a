"""A console that would be unsafe does not start."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.harness.console import CHECKOUT, ConsoleProcess, child_environment

GOOD = {
    "ENV": "prod",
    "SOFIIA_CONSOLE_API_KEY": "k" * 40,
    "SECRET_KEY": "s" * 50,
    "ALLOWED_HOSTS": "console.example",
    "ALERT_BACKEND": "postgres",
    "DATABASE_URL": "postgres://postgres@127.0.0.1:5432/nobody",
}


def start(data_dir, variables):
    """`serve` with exactly these variables, until it ends by itself."""
    return subprocess.run(
        [sys.executable, "manage.py", "serve"],
        cwd=CHECKOUT,
        env=child_environment({"DATA_DIR": str(data_dir), "PORT": "1", **variables}),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def faults(ended):
    return [line for line in ended.stderr.splitlines() if line.strip()]


def test_every_fault_is_named_at_once(tmp_path):
    ended = start(tmp_path, {"ENV": "prod", "CORS_ORIGINS": "*"})

    assert ended.returncode == 78
    text = "\n".join(faults(ended))
    for name in (
        "SOFIIA_CONSOLE_API_KEY",
        "SECRET_KEY",
        "ALLOWED_HOSTS",
        "CORS_ORIGINS",
        "ALERT_BACKEND",
    ):
        assert name in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SOFIIA_CONSOLE_API_KEY", ""),
        ("SOFIIA_CONSOLE_API_KEY", "short-but-secret"),
        ("SECRET_KEY", ""),
        ("ALLOWED_HOSTS", ""),
        ("ALLOWED_HOSTS", "*"),
        ("CORS_ORIGINS", "https://a.example,*"),
        ("ALERT_BACKEND", "memory"),
        ("DATABASE_URL", "sqlite:////tmp/never-made.sqlite3"),
    ],
)
def test_one_fault_is_one_line_and_shows_no_value(tmp_path, name, value):
    ended = start(tmp_path, {**GOOD, name: value})

    assert ended.returncode == 78
    assert len(faults(ended)) == 1, ended.stderr
    assert name in ended.stderr
    assert "short-but-secret" not in ended.stderr


def test_staging_is_as_strict(tmp_path):
    assert start(tmp_path, {"ENV": "staging"}).returncode == 78


def test_check_deploy_reports_the_same(tmp_path):
    ended = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy"],
        cwd=CHECKOUT,
        env=child_environment({"DATA_DIR": str(tmp_path), "ENV": "prod"}),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr.count("sofiia.E001") >= 4


def test_a_taken_port_is_one_line(launch, tmp_path):
    console = launch()

    second = ConsoleProcess(tmp_path / "second", port=console.port)
    assert second.launch().wait(10) == 1
    assert "set PORT or BIND_HOST" in second.log_text
    assert "Traceback" not in second.log_text
