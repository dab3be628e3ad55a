"""What the environment may hold, and what is said when it does not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sofiia_site import environment
from sofiia_site.environment import Environment, read_environment

GOOD_PROD = {
    "ENV": "prod",
    "SOFIIA_CONSOLE_API_KEY": "k" * 32,
    "SECRET_KEY": "s" * 50,
    "ALLOWED_HOSTS": "console.example",
    "ALERT_BACKEND": "postgres",
    "DATABASE_URL": "postgres://postgres@127.0.0.1:5432/sofiia",
}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch):
    """Reads the environment with only the given variables of ours set."""
    monkeypatch.setattr(environment, "BASE_DIR", environment.BASE_DIR)

    def with_values(**values: str) -> Environment:
        for name in (*GOOD_PROD, "CORS_ORIGINS", "PORT", "NODES_POLL_INTERVAL_SEC", "REDIS_URL"):
            monkeypatch.delenv(name, raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        return read_environment()

    return with_values


def test_the_defaults_are_the_runbooks(read):
    result = read()

    assert (result.env, result.port, result.bind_host) == ("dev", 8002, "127.0.0.1")
    assert (result.poll_interval_s, result.probe_timeout_s, result.offline_after) == (30, 5, 2)
    assert result.memory_service_url == "http://localhost:8000"
    assert result.ollama_url == "http://localhost:11434"
    assert (result.node_id, result.router_node_id) == ("NODA2", "NODA1")
    assert result.faults == []


def test_a_complete_prod_environment_has_no_fault(read):
    assert read(**GOOD_PROD).faults == []


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"SOFIIA_CONSOLE_API_KEY": ""}, "SOFIIA_CONSOLE_API_KEY"),
        ({"SOFIIA_CONSOLE_API_KEY": "k" * 31}, "SOFIIA_CONSOLE_API_KEY"),
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS"),
        ({"CORS_ORIGINS": "*"}, "CORS_ORIGINS"),
        ({"ALERT_BACKEND": "memory"}, "ALERT_BACKEND"),
        ({"ALERT_BACKEND": "auto"}, "ALERT_BACKEND"),
        ({"DATABASE_URL": "sqlite:///x.sqlite3"}, "DATABASE_URL"),
    ],
)
def test_prod_refuses_what_is_unsafe_and_names_the_variable(read, change, names):
    faults = read(**{**GOOD_PROD, **change}).faults

    assert len(faults) == 1
    assert names in faults[0]


def test_all_faults_are_told_at_once(read):
    assert len(read(ENV="prod").faults) >= 4


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "80.5"),
        ("PORT", "٨٠٠٢"),
        ("NODES_POLL_INTERVAL_SEC", "nan"),
        ("NODES_POLL_INTERVAL_SEC", "-1"),
        ("ENV", "production"),
        ("REDIS_URL", "http://127.0.0.1"),
        ("DATABASE_URL", "mysql://x@y/z"),
        ("MEMORY_SERVICE_URL", "file:///etc/passwd"),
        ("OLLAMA_URL", "http://:99"),
        ("BUILD_ID", "a\nb"),
        ("CONFIG_DIR", "/does/not/exist"),
        ("AISTALK_ENABLED", "perhaps"),
        ("SECRET_KEY", "x" * 5000),
        ("REDIS_URL", "redis://[::1"),
        ("DATABASE_URL", "postgres://u:p@h:abc/x"),
        ("DATABASE_URL", "postgres://u:p@[::1/x"),
        ("DATABASE_URL", "sqlyte"),
        ("CONFIG_DIR", "~nobody9/x"),
        ("DATA_DIR", "~nobody9/x"),
        ("CONFIG_DIR", "c" * 4000),
        ("OLLAMA_URL", "http://2130706433"),
        ("OLLAMA_URL", "http://user:pass@localhost"),
        ("NODE_ID", "../x"),
        ("CORS_ORIGINS", "https://a.example/path"),
        ("ALLOWED_HOSTS", "http://console.example"),
        ("SUPERVISOR_API_KEY", "two words"),
    ],
)
def test_a_value_that_cannot_be_used_is_a_fault_that_hides_the_value(read, name, value):
    faults = read(**{name: value}).faults

    assert len(faults) == 1, faults
    assert name in faults[0]
    assert value not in faults[0] or name == "ENV"


def test_a_secret_may_begin_with_a_dollar_sign(read):
    assert read(SECRET_KEY="$HOME" + "x" * 40).secret_key == "$HOME" + "x" * 40


def test_an_unsafe_start_ends_with_78_and_one_line_a_fault(tmp_path):
    result = subprocess.run(
        [sys.executable, "manage.py", "serve"],
        env={"PATH": os.environ["PATH"], "ENV": "prod", "DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    lines = result.stderr.strip().splitlines()
    assert result.returncode == 78
    assert len(lines) >= 4
    assert all(line.startswith("sofiia-console: ") for line in lines)


def test_the_deploy_check_reports_the_same_faults(tmp_path):
    result = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy"],
        env={"PATH": os.environ["PATH"], "ENV": "prod", "DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert result.returncode == 1
    assert result.stderr.count("sofiia.E001") >= 4
