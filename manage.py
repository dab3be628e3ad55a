#!/usr/bin/env python
"""Command line of the console."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sofiia_site.settings")
    from django.core.management import execute_from_command_line

    from sofiia_site.environment import refuse_if_unsafe

    refuse_if_unsafe(sys.argv)
    try:
        execute_from_command_line(sys.argv)
    except KeyboardInterrupt:
        sys.exit(130)  # asked to stop: no traceback


if __name__ == "__main__":
    main()
