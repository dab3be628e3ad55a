"""Answers that lie about their length, never end, or are no answers at all (C18 to C21)."""

import asyncio
import resource

import pytest

from core.outbound.errors import BadResponse, BodyTooLarge, ConnectFailed, DeadlineExceeded
from tests.outbound.conftest import Hostile, saying

OK = b"HTTP/1.1 200 OK\r\n"
LIES = {
    "shorter than announced": OK + b"content-length: 10\r\n\r\nshort",
    "no answer": b"",
    "half a status line": b"HTTP/1.1 2",
    "headers without an end": OK + b"a: b\r\n",
    "chunked and cut": OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "chunked and cut in a chunk": OK + b"transfer-encoding: chunked\r\n\r\nff\r\nhello",
    "chunk size is no number": OK + b"transfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    "chunk size overflows": OK + b"transfer-encoding: chunked\r\n\r\n" + b"f" * 20 + b"\r\n",
    "two lengths": OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\nokk",
    "length and chunked": OK + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "length with a sign": OK + b"content-length: +2\r\n\r\nok",
    "negative length": OK + b"content-length: -2\r\n\r\nok",
    "huge length": OK + b"content-length: " + b"9" * 40 + b"\r\n\r\nok",
    "chunked twice": OK
    + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "unknown transfer encoding": OK + b"transfer-encoding: xchunked\r\n\r\nok",
    "gzip transfer encoding": OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "gzip": OK + b"content-encoding: gzip\r\ncontent-length: 3\r\n\r\n\x1f\x8b\x08",
    "zstd": OK + b"Content-Encoding: zstd\r\n\r\n(\xb5/\xfd",
    "identity and gzip": OK + b"content-encoding: identity, gzip\r\ncontent-length: 0\r\n\r\n",
    "space before the colon": OK + b"content-length : 2\r\n\r\nok",
    "switching protocols": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    "interim for ever": b"HTTP/1.1 100 Continue\r\n\r\n" * 50 + OK + b"content-length: 0\r\n\r\n",
    "status beyond HTTP": b"HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n",
    "HTTP/2 preface": b"HTTP/2.0 200\r\n\r\n" + b"\x00\x00\x12\x04\x00",
    "another protocol": b"-ERR unknown command 'GET'\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "NUL in a header": OK + b"x: a\x00b\r\ncontent-length: 0\r\n\r\n",
    "a hundred and one headers": OK + b"x: y\r\n" * 101 + b"content-length: 0\r\n\r\n",
    "a large header": OK + b"x: " + b"y" * 40_000 + b"\r\ncontent-length: 0\r\n\r\n",
    "a large trailer": OK + b"transfer-encoding: chunked\r\n\r\n0\r\nx: " + b"y" * 400_000,
}


@pytest.mark.parametrize("name", LIES)
async def test_it_is_a_bad_response(name, ask):
    async with saying(LIES[name]) as server:
        with pytest.raises(BadResponse):
            await ask(server.url)


async def test_a_folded_header_never_holds_a_line_break(ask):
    async with saying(OK + b"x: a\r\n b\r\ncontent-length: 0\r\n\r\n") as server:
        try:
            answer = await ask(server.url)
        except BadResponse:
            return
        assert not any(b"\r" in value or b"\n" in value for _, value in answer.headers)


async def test_a_reset_before_the_answer_is_a_failed_connection(ask):
    async with saying(then_reset=True) as server:
        with pytest.raises(ConnectFailed) as failure:
            await ask(server.url)
    assert failure.value.kind == "reset"


async def test_a_reset_within_the_answer_is_a_bad_response(ask):
    async with saying(OK + b"content-length: 9\r\n\r\nabc", then_reset=True) as server:
        with pytest.raises(BadResponse):
            await ask(server.url)


async def test_a_few_interim_replies_are_skipped(ask):
    hints = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 3
    async with saying(hints + OK + b"content-length: 2\r\n\r\nok") as server:
        answer = await ask(server.url)

    assert (answer.status, answer.body, answer.header("link")) == (200, b"ok", None)


@pytest.mark.parametrize(
    "head", [b"content-length: 1000000000\r\n\r\n", b"\r\n", b"transfer-encoding: chunked\r\n\r\n"]
)
async def test_an_endless_body_is_cut_at_the_cap(head, ask):
    async def script(reader, writer):
        await server.head(reader)
        writer.write(OK + head)
        while True:
            writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            await writer.drain()

    server = Hostile(script)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with server.running():
        with pytest.raises(BodyTooLarge):
            await ask(server.url)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_240  # KiB


async def test_endless_headers_are_cut(ask):
    async def script(reader, writer):
        await server.head(reader)
        writer.write(OK + b"x: ")
        while True:
            writer.write(b"y" * 10_000)
            await writer.drain()

    server = Hostile(script)
    async with server.running():
        with pytest.raises(BadResponse):
            await ask(server.url)


@pytest.mark.parametrize("start", [b"", OK + b"content-length: 100\r\n\r\n"])
async def test_a_drip_ends_at_the_total_deadline(start, ask):
    drip = [bytes([char]) for char in (OK + b"x: " + b"y" * 100 if not start else b"z" * 100)]
    async with saying(start, *drip, pause_s=0.05) as server:
        began = asyncio.get_running_loop().time()
        with pytest.raises(DeadlineExceeded) as failure:
            await ask(server.url, deadline_s=0.4)
        took = asyncio.get_running_loop().time() - began

    assert 0.35 < took < 1
    assert failure.value.phase == "body"


async def test_silence_is_told_apart_from_a_drip(ask):
    async with saying(b"", pause_s=5) as server:
        with pytest.raises(DeadlineExceeded) as failure:
            await ask(server.url, deadline_s=0.2)
    assert failure.value.phase == "first_byte"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_like_any_other(status, ask, network):
    location = (
        b"location: http://169.254.169.254/latest/\r\nrefresh: 0;url=http://169.254.169.254/\r\n"
    )
    async with saying(
        b"HTTP/1.1 %d Moved\r\n" % status + location + b"content-length: 0\r\n\r\n"
    ) as server:
        answer = await ask(server.url)

    assert answer.status == status
    assert network.connects == [("127.0.0.1", server.port)]


async def test_what_follows_a_complete_answer_is_dropped(ask):
    async with saying(
        OK + b"content-length: 2\r\n\r\nokHTTP/1.1 500 Evil\r\n\r\n\x00\xff"
    ) as server:
        answer = await ask(server.url)

    assert (answer.status, answer.body) == (200, b"ok")
