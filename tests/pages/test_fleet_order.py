"""What stands first on the wall, what is folded, and what a filter leaves."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.factories import make_node

pytestmark = pytest.mark.django_db


def shown(response) -> list[str]:
    return re.findall(r'id="tile-([^"]+)"', response.content.decode())


def make_at(node_id: str, status: str, minutes: int, **state) -> None:
    now = timezone.now()
    since = now - timedelta(minutes=minutes)
    make_node(node_id, status=status, probed_at=now, since=since, **state)


def test_the_newest_outage_stands_before_older_ones(client, db):
    make_at("a-old", "offline", 600)
    make_at("z-new", "offline", 1)
    make_at("b-online", "online", 1)
    make_at("a-online", "online", 600)

    for view in ("wall", "table"):
        response = client.get("/ui/", {"view": view})
        assert shown(response) == ["z-new", "a-old", "a-online", "b-online"]


@pytest.mark.parametrize(("sort", "order"), [("latency", "fast slow dead"), ("-latency", "slow fast dead")])  # fmt: skip
def test_nodes_without_a_latency_stand_last_in_either_direction(client, db, sort, order):
    make_at("slow", "online", 1, latency_ms=900.0)
    make_at("fast", "online", 1, latency_ms=9.0)
    make_at("dead", "offline", 1, latency_ms=1.0, failures=3)

    assert shown(client.get("/ui/", {"view": "table", "sort": sort})) == order.split()


def test_a_filter_that_no_node_has_is_shown_and_can_be_cleared(client, fleet):
    text = client.get("/ui/?env=bogus&view=table").content.decode()

    assert "<option selected>bogus</option>" in text
    assert "No node matches" in text
    assert 'href="/ui/?view=table">Clear filters</a>' in text
    assert '<b class="num">0</b> of <span class="num">4</span> nodes' in text


def test_a_failed_probe_hides_the_successes_before_it(client, db):
    telemetry = {"router": {"ok": True, "latency_ms": 31.0}, "alerts_loop_slo": {"p95_ms": 5.0}}
    make_at("shaky", "degraded", 1, failures=1, latency_ms=31.0, telemetry=telemetry)

    text = client.get("/ui/").content.decode()
    assert "router ✓" not in text
    assert "31 ms" not in text


def test_online_nodes_are_folded_in_a_large_fleet_only(client, db):
    for number in range(40):
        make_at(f"n{number:02}", "online", 1)
    assert "is-folded" not in client.get("/ui/").content.decode()
    make_at("bad", "offline", 1)
    make_at("warned", "online", 1, telemetry={"backends": {"alerts": "memory"}})

    text = client.get("/ui/").content.decode()
    assert (text.count("is-folded"), text.count("is-noted")) == (41, 1)
    assert "⚠ alerts: memory" in text
    assert shown(client.get("/ui/"))[:3] == ["bad", "warned", "n00"]
    assert 'href="/ui/?size=large"' in text
    assert "is-folded" not in client.get("/ui/?size=large").content.decode()


def test_uptime_claims_no_more_history_than_there_is(client, fleet):
    hour = int(timezone.now().timestamp()) // 3600 * 3600
    buckets = {"1h": {"ts": hour, "probes": 12, "failed": 1, "degraded": 0, "unknown": 0}}
    buckets["1h"]["latency"] = {"bins": {}, "max": None}
    make_at("young", "online", 5, open_buckets=buckets)

    text = client.get("/ui/nodes/young").content.decode()
    figures = re.findall(r'<dd class="num"[^>]*>(.*?)</dd>', text)
    assert re.fullmatch(r"91 %<small>since \d+(\.\d)? s ago</small>", figures[0])
    assert figures[1:3] == ["–", "–"]


def test_the_copied_command_lets_the_shell_fill_in_the_key(as_role, fleet, prod):
    text = as_role("viewer").get("/ui/nodes/up").content.decode()

    assert "-H &quot;Authorization: Bearer $SOFIIA_CONSOLE_API_KEY&quot;" in text


def test_where_everybody_reads_the_copied_command_has_no_key(client, fleet):
    assert "Authorization" not in client.get("/ui/nodes/up").content.decode()
