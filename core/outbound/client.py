"""httpx' API on the engine. The only module that imports httpx: a swap to its successor is one line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx

from core.outbound import urls
from core.outbound.errors import RequestRefused, UrlRefused
from core.outbound.guard import Guard
from core.outbound.pool import Pool
from core.outbound.purpose import Purpose
from core.outbound.streaming import Limits, Stream, open_stream

MAX_BYTES = 8 * 1024 * 1024


class EngineTransport(httpx.AsyncBaseTransport):
    """Carries httpx' requests through the door. Errors are OutboundError, never httpx' own."""

    def __init__(self, purpose: Purpose, limits: Limits, guard: Guard | None = None) -> None:
        self._purpose = purpose
        self._limits = limits
        self._guard = guard
        self._pool = Pool()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Called by httpx."""
        length = request.headers.get("content-length", "")
        stream = await open_stream(
            request.method,
            str(request.url),
            purpose=self._purpose,
            limits=self._limits,
            headers=request.headers.raw,
            body=_body(request),
            length=int(length) if length.isdecimal() else None,
            pool=self._pool,
            guard=self._guard,
        )
        return httpx.Response(stream.status, headers=stream.headers, stream=_Body(stream))

    async def aclose(self) -> None:
        """Called by httpx when the client is closed."""
        self._pool.close()


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream.parts():
            yield part

    async def aclose(self) -> None:
        self._stream.close()


def _body(request: httpx.Request) -> bytes | httpx.AsyncByteStream:
    try:
        return request.content
    except httpx.RequestNotRead:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        return request.stream


class OutboundClient(httpx.AsyncClient):
    """An httpx client whose addresses are read strictly, before httpx reads them its own way."""

    def build_request(self, method: str, url: httpx.URL | str, **kwargs: Any) -> httpx.Request:
        """As httpx', but raising UrlRefused and RequestRefused."""
        if isinstance(url, str) and "://" in url.partition("?")[0]:
            urls.parse(url)
        try:
            return super().build_request(method, url, **kwargs)
        except httpx.InvalidURL as exc:
            raise UrlRefused("write the whole address, beginning with http:// or https://") from exc
        except UnicodeEncodeError as exc:
            raise RequestRefused(
                "a request header holds characters that HTTP cannot carry"
            ) from exc


def http_client(
    purpose: Purpose,
    deadline_s: float,
    *,
    base_url: str = "",
    max_bytes: int | None = MAX_BYTES,
    idle_s: float | None = None,
    guard: Guard | None = None,
) -> OutboundClient:
    """A client of one event loop: close it, or use it in `async with`. It keeps a few connections while it lives.

    `deadline_s` covers each request with its whole answer. Redirects are not followed, proxies of the environment are not
    used, answers are not compressed. Every failure of the network is an OutboundError.
    """
    limits = Limits(total_s=deadline_s, idle_s=idle_s, max_bytes=max_bytes)
    return OutboundClient(
        transport=EngineTransport(purpose, limits, guard),
        base_url=base_url,
        headers={"user-agent": "sofiia-console"},
        timeout=None,
        trust_env=False,
        follow_redirects=False,
    )
