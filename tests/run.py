"""`make test`: everything on SQLite, what touches the database again on PostgreSQL, then real processes and browsers.

Arguments go to one plain pytest run instead: `python -m tests.run tests/events -x`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys

POSTGRES = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
#: What has no database of its own choosing: real processes pick theirs, pure functions need none.
ONCE = ("tests/e2e", "tests/outbound", "tests/input", "tests/fleet", "tests/pages", "tests/site")
PARALLEL = ("-n", "2")


def is_reachable(host: str, port: int) -> bool:
    """Whether something listens there."""
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False


def pytest(*arguments: str, **environment: str) -> int:
    """Run pytest in a process of its own; its exit status."""
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, check=False).returncode


def on_postgres() -> int:
    """The second run; without PostgreSQL it is left out aloud, and that is a failure where CI=true."""
    if not is_reachable("127.0.0.1", 5432):
        print("== PostgreSQL is not reachable: the second run was left out", flush=True)
        return int(os.environ.get("CI") == "true")
    print("== PostgreSQL: what touches the database", flush=True)
    ignored = [f"--ignore={path}" for path in ONCE]
    return pytest(*PARALLEL, *ignored, DATABASE_URL=POSTGRES)


def main() -> int:
    """Every run happens, whatever the one before said; 0 only if all passed."""
    if sys.argv[1:]:
        return pytest(*sys.argv[1:])
    print("== SQLite: everything but real processes", flush=True)
    statuses = [pytest(*PARALLEL, "--ignore=tests/e2e"), on_postgres()]
    print("== Real processes and browsers", flush=True)
    statuses.append(pytest("tests/e2e"))
    return max(statuses)


if __name__ == "__main__":
    raise SystemExit(main())
