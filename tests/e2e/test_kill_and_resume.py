"""What was acknowledged survives kill -9: every reader that resumes sees it once and in order."""

from __future__ import annotations

import random
import threading
import time

import httpx
import pytest

from tests.harness import services
from tests.harness.database import postgres_database
from tests.harness.history import faults
from tests.harness.stream import ResumingReader
from tests.harness.waiting import eventually

REPEATS = 3
TYPE = "alert"


class Publisher:
    """Posts numbered events one after the other; `acknowledged` holds the ids that the console confirmed."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api/events"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self.acknowledged: list[int] = []
        self.refused: list[httpx.Response] = []

    def __enter__(self) -> Publisher:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Post nothing more."""
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        number = 0
        with httpx.Client(trust_env=False, timeout=5) as client:
            while not self._stop.is_set():
                number += 1
                try:
                    answer = client.post(self._url, json={"type": TYPE, "data": {"n": number}})
                except httpx.TransportError:
                    time.sleep(0.02)  # the outcome is unknown: it may be read, and need not
                    continue
                if answer.status_code == 201:
                    self.acknowledged += answer.json()["ids"]
                else:
                    self.refused.append(answer)
                    time.sleep(0.02)


def publish_some(publisher: Publisher) -> None:
    """Wait until thirty more events are acknowledged."""
    wanted = len(publisher.acknowledged) + 30
    eventually(lambda: len(publisher.acknowledged) >= wanted, 15)


def test_every_acknowledged_event_is_read_once_and_in_order(console_on):
    console = console_on
    moments = random.Random(20)
    with (
        ResumingReader(console.ws_url, types=TYPE) as reader,
        Publisher(console.url) as publisher,
    ):
        for _life in range(REPEATS):
            publish_some(publisher)
            time.sleep(moments.uniform(0, 0.2))  # the moment of death is meant to be arbitrary
            console.kill()
            console.start()
            assert console.started_in_s < 5
        publish_some(publisher)
        publisher.stop()
        last = publisher.acknowledged[-1]
        eventually(lambda: reader.ids and reader.ids[-1] >= last, 10)

    assert not publisher.refused, publisher.refused[0].text
    assert reader.connections == REPEATS + 1
    assert faults(publisher.acknowledged, reader.ids) == []
    assert reader.faults == []


@pytest.mark.postgres
@pytest.mark.redis
@pytest.mark.parametrize("redis_url", [services.REDIS_URL, ""], ids=["redis", "no-doorbell"])
def test_a_reader_of_one_process_sees_what_another_one_wrote(launch, redis_url):
    with postgres_database() as url:
        first = launch("first", database_url=url, REDIS_URL=redis_url)
        second = launch("second", database_url=url, REDIS_URL=redis_url)
        with ResumingReader(second.ws_url, types=TYPE) as reader:
            eventually(lambda: reader.connections, 5)
            sent: list[int] = []
            for number in range(20):
                answer = first.post("/api/events", json={"type": TYPE, "data": {"n": number}})
                sent += answer.json()["ids"]
            eventually(lambda: len(reader.ids) >= 20, 5)
        first.kill()
        second.kill()

    assert reader.ids == sent
