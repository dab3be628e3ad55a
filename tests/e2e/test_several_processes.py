"""The same console, grown: its parts in processes of their own, and the other server."""

from __future__ import annotations

import pytest

from tests.harness import services
from tests.harness.console import ConsoleProcess
from tests.harness.database import postgres_database
from tests.harness.fleet import running_fleet
from tests.harness.registry import config_of
from tests.harness.stream import next_of, open_stream
from tests.harness.waiting import eventually

QUICK = {"NODES_POLL_INTERVAL_SEC": "1", "NODES_PROBE_TIMEOUT_SEC": "1"}


@pytest.mark.redis
def test_redis_rings_the_doorbell(console_with_redis):
    checks = {check["name"]: check for check in console_with_redis.get("/readyz").json()["checks"]}

    assert checks["channel_layer"]["ok"] is True
    assert checks["channel_layer"]["backend"] == "redis"


@pytest.mark.postgres
@pytest.mark.redis
def test_a_poller_of_its_own_feeds_the_stream_of_the_web_process(launch, tmp_path):
    with running_fleet(2) as fleet, postgres_database() as url:
        shared = {
            "database_url": url,
            "REDIS_URL": services.REDIS_URL,
            "CONFIG_DIR": str(config_of(fleet.fleet, tmp_path / "config")),
            **QUICK,
        }
        ConsoleProcess(tmp_path / "setup", **shared).manage("migrate")
        web = launch("web", arguments=["--only", "web"], **shared)
        with open_stream(web.ws_url, types="nodes.status") as stream:
            next_of(stream, "hello")
            assert not fleet.nodes[0].arrivals, "the web part polled"
            poller = ConsoleProcess(tmp_path / "poller", arguments=["--only", "poller"], **shared)
            poller.launch()
            try:
                frame = next_of(stream, "nodes.status", 15)
                assert frame["data"]["summary"]["total"] == 2
                assert poller.terminate() == 0
            finally:
                poller.kill()
        web.kill()


def test_daphne_serves_the_same_console(launch):
    console = launch(arguments=["--server", "daphne"], **QUICK)

    answer = console.get("/api/health")
    assert answer.json()["service"] == "sofiia-console"
    for name in ("content-security-policy", "x-content-type-options", "x-request-id"):
        assert answer.headers[name]
    assert "server" not in answer.headers
    with open_stream(console.ws_url, types="nodes.status") as stream:
        next_of(stream, "hello")
        assert next_of(stream, "nodes.status")["data"]["summary"]["total"] == 2
    eventually(lambda: console.get("/readyz").status_code == 200, 5)
    assert console.terminate() == 0
