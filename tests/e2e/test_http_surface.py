"""The addresses that people and programs rely on, asked of a real process."""

from __future__ import annotations

import re
import time

import pytest

from tests.harness.console import ConsoleProcess, free_port

SECURITY_HEADERS = (
    "content-security-policy",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "permissions-policy",
    "cross-origin-opener-policy",
    "x-request-id",
)
STATUS_PARTS = {
    "bff", "router", "memory", "ollama", "aistalk", "database", "channel_layer",
    "poller", "worker", "nodes", "backends", "parity",
}  # fmt: skip


@pytest.fixture(scope="module")
def surface(tmp_path_factory):
    """One console for all questions; the services beside it are dead."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    with ConsoleProcess(
        tmp_path_factory.mktemp("surface") / "data",
        MEMORY_SERVICE_URL=nowhere,
        OLLAMA_URL=nowhere,
        NODES_POLL_INTERVAL_SEC="2",
    ) as console:
        yield console


def assert_problem(response, status, code=None):
    assert response.status_code == status
    assert response.headers["content-type"].startswith("application/problem+json")
    body = response.json()
    assert body["status"] == status
    assert body["request_id"] == response.headers["x-request-id"]
    assert {"type", "title", "detail", "code"} <= set(body)
    assert code is None or body["code"] == code
    return body


def test_health_says_who_it_is(surface):
    body = surface.get("/api/health").json()

    assert body["status"] == "ok"
    assert body["service"] == "sofiia-console"
    assert re.fullmatch(r"0\.3\.\d+", body["version"])
    assert (body["build_id"], body["env"]) == ("local", "dev")
    assert body["uptime_s"] > 0


def test_liveness_and_readiness_are_apart(surface):
    assert surface.get("/healthz").status_code == 200
    ready = surface.get("/readyz")
    assert ready.status_code == 200, ready.text
    assert {check["name"] for check in ready.json()["checks"]} >= {"database", "poller"}


def test_the_full_status_is_quick_while_everything_beside_it_is_dead(surface):
    began = time.monotonic()
    response = surface.get("/api/status/full")

    assert time.monotonic() - began < 3
    body = response.json()
    assert set(body) >= STATUS_PARTS
    assert body["bff"]["service"] == "sofiia-console"
    for part in ("router", "memory", "ollama"):
        assert body[part]["ok"] is False
        assert body[part]["error"]
    assert body["database"]["ok"] is True
    assert body["nodes"]["total"] == 2


def test_the_full_status_does_not_wait_for_what_hangs(launch):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        console = launch(MEMORY_SERVICE_URL=url, OLLAMA_URL=url, NODES_NODA1_ROUTER_URL=url)
        began = time.monotonic()
        body = console.get("/api/status/full").json()

    assert time.monotonic() - began < 3
    assert not any(body[part]["ok"] for part in ("router", "memory", "ollama"))


def test_the_console_is_a_node_too(surface):
    body = surface.get("/monitor/status").json()

    assert (body["online"], body["node_id"]) == (True, "NODA2")
    assert {"ts", "heartbeat_age_s", "router", "gateway", "backends", "last_artifacts"} <= set(body)


def test_metrics_are_prometheus_text(surface):
    response = surface.get("/metrics")

    assert response.headers["content-type"].startswith("text/plain")
    for family in ("sofiia_http_requests_total", "sofiia_probes_total", "sofiia_stream_clients"):
        assert family in response.text


def test_prometheus_finds_its_targets(surface):
    groups = surface.get("/api/sd/prometheus").json()

    assert isinstance(groups, list)
    for group in groups:
        assert set(group) == {"targets", "labels"}
        assert all(re.fullmatch(r"[^/]+:\d+", target) for target in group["targets"])


def test_the_api_describes_itself(surface):
    document = surface.get("/api/openapi.json").json()

    assert document["openapi"].startswith("3.")
    assert {"/api/health", "/api/status/full", "/api/nodes", "/api/events"} <= set(
        document["paths"]
    )
    assert surface.get("/api/docs").status_code == 200


def test_an_unknown_path_is_a_problem(surface):
    assert_problem(surface.get("/api/nothing/here"), 404, "not_found")
    assert_problem(surface.get("/api/nodes/NOBODY"), 404, "node_not_found")


def test_a_wrong_method_is_a_problem_that_says_which_are_right(surface):
    response = surface.request("DELETE", "/api/health")

    assert_problem(response, 405, "method_not_allowed")
    assert "GET" in response.headers["allow"]


def test_invalid_input_is_a_problem_with_the_fields(surface):
    body = assert_problem(surface.post("/api/nodes", json={"node_id": "a b", "label": 5}), 422)

    assert body["errors"]
    assert all(set(error) == {"path", "message"} for error in body["errors"])


def test_a_body_that_is_no_json_is_a_problem(surface):
    response = surface.post(
        "/api/nodes", content=b'{"node_id":', headers={"content-type": "application/json"}
    )

    assert response.status_code in (400, 422)
    assert_problem(response, response.status_code)


def test_wrong_credentials_are_challenged(surface):
    response = surface.get("/api/nodes", headers={"Authorization": "Bearer wrong"})

    assert_problem(response, 401)
    assert response.headers["www-authenticate"].startswith("Bearer")


def test_a_valid_request_id_is_kept(surface):
    kept = surface.get("/api/health", headers={"X-Request-ID": "trace-0123456789"})

    assert kept.headers["x-request-id"] == "trace-0123456789"


@pytest.mark.parametrize("given", ["x", "has space", "a" * 200, "<script>alert(1)", "tab\there"])
def test_an_odd_request_id_is_replaced(surface, given):
    answer = surface.get("/api/health", headers={"X-Request-ID": given})

    assert answer.headers["x-request-id"] != given
    assert re.fullmatch(r"[A-Za-z0-9._-]{8,64}", answer.headers["x-request-id"])


@pytest.mark.parametrize(
    "path",
    ["/", "/ui/", "/ui/login", "/api/health", "/api/nothing", "/healthz", "/readyz", "/metrics",
     "/nothing", "/static/nothing.css", "/monitor/status", "/admin/login/"],
)  # fmt: skip
def test_every_answer_carries_the_security_headers(surface, path):
    response = surface.get(path)

    assert response.status_code < 500
    for name in SECURITY_HEADERS:
        assert response.headers.get(name), f"{path} lacks {name}"
    assert "server" not in response.headers
    assert "unsafe-inline" not in response.headers["content-security-policy"]


def test_a_strange_host_is_refused_with_the_headers(surface):
    response = surface.get("/api/health", headers={"Host": "evil.example"})

    assert_problem(response, 400)
    assert response.headers["content-security-policy"]


def test_a_huge_body_is_refused_before_it_is_read(surface):
    response = surface.post("/api/events", content=b"x" * 3_000_000)

    assert_problem(response, 413)


def test_nothing_was_a_traceback(surface):
    assert "Traceback" not in surface.log_text
