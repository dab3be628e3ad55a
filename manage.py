#!/usr/bin/env python
"""Command line of the console."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sofiia_site.settings")
    from django.core.management import execute_from_command_line
    from django.db import OperationalError, ProgrammingError

    from sofiia_site.environment import refuse_if_unsafe

    refuse_if_unsafe(sys.argv)
    try:
        execute_from_command_line(sys.argv)
    except KeyboardInterrupt:
        sys.exit(130)  # asked to stop: no traceback
    except (OperationalError, ProgrammingError) as exc:
        reason = str(exc).strip().splitlines()[0]
        if "no such table" in reason or "does not exist" in reason:
            reason = "the database has no schema yet; run manage.py migrate"
        sys.exit(f"sofiia-console: {reason}")


if __name__ == "__main__":
    main()
