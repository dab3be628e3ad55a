"""`make test`: the whole suite on SQLite, then everything that touches the database again on PostgreSQL."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

POSTGRES = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
#: What has no database of its own choosing: real processes pick theirs, pure functions need none.
ONCE = ["tests/e2e", "tests/outbound", "tests/input", "tests/fleet", "tests/pages"]


def is_reachable(host: str, port: int) -> bool:
    """Whether something listens there."""
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False


def pytest(*arguments: str, **environment: str) -> int:
    """Run the suite in a process of its own; its exit status."""
    command = [sys.executable, "-m", "pytest", *arguments, *sys.argv[1:]]
    return subprocess.run(command, env={**os.environ, **environment}, check=False).returncode


def main() -> int:
    """Both runs; without PostgreSQL the second is left out aloud, and is a failure where CI=true."""
    print("== SQLite: the whole suite", flush=True)
    status = pytest()
    if not is_reachable("127.0.0.1", 5432):
        print("== PostgreSQL is not reachable: the second run was left out", flush=True)
        return status or int(os.environ.get("CI") == "true")
    print("== PostgreSQL: what touches the database", flush=True)
    ignored = [f"--ignore={path}" for path in ONCE]
    return pytest(*ignored, DATABASE_URL=POSTGRES) or status


if __name__ == "__main__":
    raise SystemExit(main())
