"""What every request passes and every reply carries."""

from __future__ import annotations

from typing import Any

import pytest

from core.problems import Problem
from sofiia_site.cors import CorsPolicy
from sofiia_site.edge import MAX_BODY, Edge


class Caller:
    """Calls an Edge around `app` and keeps what came out."""

    def __init__(self, app: Any, **cors: Any) -> None:
        policy = CorsPolicy(cors.get("origins", []), is_dev=cors.get("is_dev", True))
        self.edge = Edge(app, allowed_hosts=["localhost"], cors=policy, trusted_proxies=list)
        self.extra: dict[str, Any] = {}

    async def __call__(
        self,
        *headers: tuple[bytes, bytes],
        method: str = "GET",
        path: str = "/api/x",
        body: bytes = b"",
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        hosts = (
            [] if any(name == b"host" for name, _ in headers) else [(b"host", b"localhost:8002")]
        )
        scope = {
            "type": "http", "method": method, "path": path, "scheme": "http", "root_path": "",
            "client": ("127.0.0.1", 5), "headers": [*hosts, *headers], **self.extra,
        }  # fmt: skip
        await self.edge(scope, receive, send)
        return sent[0]["status"], dict(sent[0]["headers"]), b"".join(m["body"] for m in sent[1:])


def answering(seen: dict[str, Any]) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope)
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Server", b"x")]})
        await send({"type": "http.response.body", "body": b"ok"})

    return app


@pytest.fixture
def seen() -> dict[str, Any]:
    return {}


@pytest.fixture
def call(seen) -> Caller:
    return Caller(answering(seen))


async def test_every_reply_carries_the_security_headers_and_no_server(call):
    _status, headers, _body = await call()

    assert b"default-src 'none'" in headers[b"content-security-policy"]
    assert b"unsafe" not in headers[b"content-security-policy"]
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"x-frame-options"] == b"DENY"
    assert headers[b"cache-control"] == b"no-store"
    assert b"server" not in headers


async def test_a_harmless_request_id_is_kept_and_any_other_replaced(call):
    for given, kept in [
        (b"trace-0123456789", True),
        (b"short", False),
        (b"x" * 65, False),
        (b"with space 123", False),
        (b"evil\x1b[31m0000", False),
    ]:
        _status, headers, _body = await call((b"x-request-id", given))
        assert (headers[b"x-request-id"] == given) is kept
        assert len(headers[b"x-request-id"]) >= 8


async def test_headers_that_could_pass_for_others_are_dropped(call, seen):
    await call(
        (b"daphne-root-path", b"/evil"), (b"x_forwarded_for", b"1.2.3.4"), (b"x.request.id", b"1"),
        (b"x-sofiia-scheme", b"https"), (b"accept", b"*/*"),
    )  # fmt: skip

    names = {name for name, _ in seen["headers"]}
    assert names == {b"host", b"accept", b"x-request-id", b"x-sofiia-scheme"}
    assert (b"x-sofiia-scheme", b"http") in seen["headers"]
    assert seen["root_path"] == ""


@pytest.mark.parametrize(
    "hosts",
    [[b"evil.example"], [b"localhost", b"localhost"], [b""], [b"localhost:x"], [b"localhost.evil"]],
)
async def test_an_unknown_or_doubled_host_is_refused(call, seen, hosts):
    status, headers, body = await call(*[(b"host", host) for host in hosts])

    assert status == 400
    assert headers[b"content-type"] == b"application/problem+json"
    assert b"unknown_host" in body
    assert seen == {}


async def test_an_announced_body_over_the_cap_is_refused_before_it_is_read(call, seen):
    status, _headers, body = await call(
        (b"content-length", str(MAX_BODY + 1).encode()), method="POST"
    )

    assert status == 413
    assert b"body_too_large" in body
    assert seen == {}


async def test_an_unannounced_body_over_the_cap_is_refused_while_it_comes(call):
    status, _headers, _body = await call(method="POST", body=b"x" * (MAX_BODY + 1))

    assert status == 413


async def test_a_failure_inside_is_told_in_general_words_only(caplog):
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("secret detail")

    status, headers, body = await Caller(broken)()

    assert status == 500
    assert b"secret" not in body
    assert headers[b"x-request-id"] in body
    assert "secret detail" in caplog.text


async def test_a_problem_raised_inside_becomes_its_answer():
    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        raise Problem(429, "throttled", "Later.", headers={"Retry-After": "7"})

    status, headers, _body = await Caller(refusing)()

    assert status == 429
    assert headers[b"retry-after"] == b"7"


async def test_dev_lets_any_origin_read_without_credentials(seen):
    _status, headers, _body = await Caller(answering(seen))((b"origin", b"http://a.example"))

    assert headers[b"access-control-allow-origin"] == b"*"
    assert b"access-control-allow-credentials" not in headers


async def test_prod_lets_only_listed_origins_read(seen):
    call = Caller(answering(seen), origins=["https://ui.example"], is_dev=False)
    for origin, allowed in [
        (b"https://ui.example", True),
        (b"https://ui.example.evil", False),
        (b"http://ui.example", False),
        (b"null", False),
    ]:
        _status, headers, _body = await call((b"origin", origin))
        assert (headers.get(b"access-control-allow-origin") == origin) is allowed


async def test_prod_with_no_origins_lets_nobody_read(seen):
    _status, headers, _body = await Caller(answering(seen), is_dev=False)(
        (b"origin", b"http://a.example")
    )

    assert b"access-control-allow-origin" not in headers


async def test_a_preflight_is_answered_without_reaching_the_application(call, seen):
    status, headers, _body = await call(
        (b"origin", b"http://a.example"),
        (b"access-control-request-method", b"POST"),
        method="OPTIONS",
    )

    assert status == 204
    assert b"authorization" in headers[b"access-control-allow-headers"]
    assert seen == {}


@pytest.mark.parametrize("query", [b"", b"node=%00"])
async def test_an_address_with_a_nul_is_refused(seen, query):
    call = Caller(answering(seen))
    call.extra = {"query_string": query}

    status, _headers, body = await call(path="/api/x" if query else "/api/\0")

    assert status == 400
    assert b"NUL" in body
    assert seen == {}


@pytest.mark.parametrize("can_answer", [True, False])
async def test_a_handshake_for_a_strange_host_is_denied(seen, can_answer):
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "websocket", "path": "/ws/events", "scheme": "ws", "client": ("127.0.0.1", 5),
        "headers": [(b"host", b"evil.example")],
        "extensions": {"websocket.http.response": {}} if can_answer else {},
    }  # fmt: skip
    await Caller(answering(seen)).edge(scope, None, send)  # type: ignore[arg-type]

    assert seen == {}
    if can_answer:
        assert sent[0]["status"] == 400
        assert b"content-security-policy" in dict(sent[0]["headers"])
    else:
        assert sent == [{"type": "websocket.close", "code": 4400}]
