"""`make bench`: every benchmark of this folder, one after the other, each printing its own table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run them all; the exit status of the last that failed."""
    status = 0
    for script in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        print(f"== {script.stem}", flush=True)
        status = subprocess.run([sys.executable, str(script)], check=False).returncode or status
    return status


if __name__ == "__main__":
    raise SystemExit(main())
