"""The checks must not cost more than the reading is worth: 300 bodies a second come in."""

from timeit import repeat

import orjson

from core.safe_json import loads

STATUS = {
    "online": True,
    "ts": "2026-02-25T10:00:00Z",
    "node_id": "NODA1",
    "heartbeat_age_s": 5,
    "router": {"ok": True, "latency_ms": 12},
    "gateway": {"ok": True, "latency_ms": 8},
    "alerts_loop_slo": {"p95_ms": 320, "failed_rate": 0.0},
    "open_incidents": 2,
    "backends": dict.fromkeys(["alerts", "audit", "incidents", "risk_history", "backlog"], "auto"),
    "last_artifacts": {"risk_digest": "2026-02-24", "platform_digest": "2026-W08"},
    "models": [{"name": f"model-{n}", "size": n * 10**9} for n in range(8)],
}


def test_a_status_body_costs_at_most_five_plain_readings() -> None:
    body = orjson.dumps(STATUS)
    body += b" " * (862 - len(body))

    plain = min(repeat(lambda: orjson.loads(body), number=1000, repeat=15))
    safe = min(repeat(lambda: loads(body), number=1000, repeat=15))

    assert safe / plain < 5, f"{safe * 1000:.1f} µs, plain {plain * 1000:.1f} µs"
