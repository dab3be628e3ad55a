"""A process that publishes: `python -m tests.events.writer SEED COUNT [PAUSE_S]`. Prints the ids that it committed."""

from __future__ import annotations

import json
import os
import random
import sys
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sofiia_site.settings")

import django

django.setup()

from django.db import transaction  # noqa: E402

from events.services import NewEvent, append, append_many  # noqa: E402


class ChangedMind(Exception):
    """The transaction is rolled back."""


def publish(chance: random.Random, number: int) -> list[int]:
    """One transaction: some wait before they commit, some are rolled back, some hold many events."""
    try:
        with transaction.atomic():
            if chance.random() < 0.1:
                size = chance.choice((3, 30))
                ids = append_many([NewEvent("ops.run", {"n": number})] * size)
            else:
                ids = [append("ops.run", {"n": number}).id]
            if chance.random() < 0.2:
                time.sleep(chance.random() * 0.01)
            if chance.random() < 0.15:
                raise ChangedMind
    except ChangedMind:
        return []
    return ids


def main(seed: str, count: str, pause_s: str = "0") -> None:
    chance = random.Random(seed)
    ids = []
    for number in range(int(count)):
        ids += publish(chance, number)
        time.sleep(float(pause_s))
    print(json.dumps(ids))


main(*sys.argv[1:])
