"""Answers part by part, requests part by part, and connections used again."""

import asyncio
import resource

import pytest

from core.outbound import Purpose
from core.outbound.errors import (
    BadResponse,
    BodyTooLarge,
    DeadlineExceeded,
    PolicyRefused,
    RequestRefused,
)
from core.outbound.guard import Guard
from core.outbound.policy import NetworkAllowlist
from core.outbound.pool import Pool
from core.outbound.streaming import Limits, open_stream
from tests.outbound.conftest import Hostile, saying

OK = b"HTTP/1.1 200 OK\r\n"
LIMITS = Limits(total_s=3)


@pytest.fixture
def stream(guard):
    async def call(url, method="GET", **options):
        options = {"purpose": Purpose.PROXY, "limits": LIMITS, "guard": guard, **options}
        return await open_stream(method, url, **options)

    return call


@pytest.fixture
async def pool():
    pool = Pool()
    yield pool
    pool.close()


async def read(answer) -> bytes:
    async with answer:
        return b"".join([part async for part in answer.parts()])


def keeping(answers: list[bytes]) -> Hostile:
    """A server that gives one answer after another on the same connection, then closes it."""

    async def script(reader, writer):
        while answers:
            await server.head(reader)
            writer.write(answers.pop(0))
            await writer.drain()

    server = Hostile(script)
    return server


async def test_the_head_comes_before_the_body(stream):
    go = asyncio.Event()

    async def script(reader, writer):
        await server.head(reader)
        writer.write(OK + b"content-type: text/event-stream\r\n\r\ndata: 1\n\n")
        await go.wait()
        writer.write(b"data: 2\n\n")

    server = Hostile(script)
    async with server.running(), await stream(server.url) as answer:
        parts = answer.parts()
        assert await anext(parts) == b"data: 1\n\n"
        go.set()
        assert [part async for part in parts] == [b"data: 2\n\n"]


async def test_a_reader_who_does_not_read_holds_the_sender_back(stream):
    sent = 0

    async def script(reader, writer):
        nonlocal sent
        await server.head(reader)
        writer.write(OK + b"\r\n")
        while True:
            writer.write(b"x" * 65_536)
            sent += 65_536
            await writer.drain()

    server = Hostile(script)
    async with server.running(), await stream(server.url) as answer:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await asyncio.sleep(0.5)
        stalled = sent
        assert stalled < 24 * 1024 * 1024  # the kernel's buffers and ours
        read_so_far = 0
        async for part in answer.parts():
            read_so_far += len(part)
            if read_so_far > 40 * 1024 * 1024:
                break
        assert sent > stalled
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 12_288  # KiB


async def test_a_request_body_is_sent_as_it_comes_and_no_faster_than_it_is_taken(stream):
    produced, taken = 0, asyncio.Event()

    async def body():
        nonlocal produced
        for _ in range(400):
            produced += 65_536
            yield b"x" * 65_536

    async def script(reader, writer):
        await server.head(reader)
        await taken.wait()
        while not (await reader.read(1 << 20)).endswith(b"0\r\n\r\n"):
            pass
        writer.write(OK + b"content-length: 2\r\n\r\nok")

    server = Hostile(script)
    async with server.running():
        task = asyncio.ensure_future(stream(server.url, "POST", body=body()))
        await asyncio.sleep(0.3)
        assert produced < 16 * 1024 * 1024
        taken.set()
        assert await read(await task) == b"ok"
    assert b"transfer-encoding: chunked" in server.heads[0]


@pytest.mark.parametrize("length", [4, 6])
async def test_a_request_body_of_another_length_than_announced_is_refused(length, stream):
    async def body():
        yield b"12345"

    async with saying(b"", pause_s=5) as server:
        with pytest.raises(RequestRefused):
            await stream(server.url, "POST", body=body(), length=length)


async def test_the_error_of_a_request_body_reaches_the_caller(stream):
    async def body():
        yield b"1"
        raise ZeroDivisionError

    async with saying(b"", pause_s=5) as server:
        with pytest.raises(ZeroDivisionError):
            await stream(server.url, "POST", body=body())


async def test_an_answer_that_breaks_off_gives_what_came_and_then_the_error(stream):
    async with (
        saying(OK + b"content-length: 9\r\n\r\nabc") as server,
        await stream(server.url) as answer,
    ):
        parts = answer.parts()
        assert await anext(parts) == b"abc"
        with pytest.raises(BadResponse):
            await anext(parts)


async def test_the_cap_ends_a_stream(stream):
    limits = Limits(total_s=2, max_bytes=10)
    async with saying(OK + b"\r\n", b"x" * 8, b"x" * 8, pause_s=0.05) as server:
        with pytest.raises(BodyTooLarge):
            await read(await stream(server.url, limits=limits))


@pytest.mark.parametrize(
    ("limits", "phase"),
    [(Limits(total_s=0.2), "body"), (Limits(total_s=None, idle_s=0.2), "body"), (Limits(None, head_s=0.01), "first_byte")],
)  # fmt: skip
async def test_each_limit_of_time_holds(limits, phase, stream):
    async with saying(b"", OK + b"\r\nx", b"", pause_s=0.1) as server:
        with pytest.raises(DeadlineExceeded) as failure:
            await read(await stream(server.url, limits=limits))
    assert failure.value.phase == phase


async def test_a_kept_connection_is_used_again(stream, pool):
    server = keeping([OK + b"content-length: 2\r\n\r\nok", OK + b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"] * 2)  # fmt: skip
    async with server.running():
        for _ in range(4):
            assert await read(await stream(server.url, pool=pool)) == b"ok"
    assert (server.connections, len(server.heads)) == (1, 4)


async def test_a_connection_that_was_closed_meanwhile_costs_nothing(stream, pool):
    answers = [OK + b"content-length: 2\r\n\r\nok"]
    server = keeping(answers)
    async with server.running():
        await read(await stream(server.url, pool=pool))
        answers.append(OK + b"content-length: 2\r\n\r\nok")
        assert await read(await stream(server.url, pool=pool)) == b"ok"
    assert server.connections == 2


async def test_a_request_that_meets_a_dying_connection_is_repeated_once(stream, pool):
    async def script(reader, writer):
        await server.head(reader)
        writer.write(OK + b"content-length: 2\r\n\r\nok")
        await reader.readuntil(b"\r\n\r\n")  # takes the next request and dies over it

    server = Hostile(script)
    async with server.running():
        await read(await stream(server.url, pool=pool))
        assert await read(await stream(server.url, pool=pool)) == b"ok"
    assert server.connections == 2


async def test_a_request_that_may_not_be_repeated_never_uses_a_kept_connection(stream, pool):
    server = keeping([OK + b"content-length: 2\r\n\r\nok"] * 2)
    async with server.running():
        await read(await stream(server.url, pool=pool))
        await read(await stream(server.url, "POST", pool=pool))
    assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [OK + b"content-length: 2\r\nconnection: close\r\n\r\nok", b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
     OK + b"content-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n"],
)  # fmt: skip
async def test_a_connection_that_is_not_clean_is_not_kept(answer, stream, pool):
    async with saying(answer, pause_s=0.05) as server:
        assert await read(await stream(server.url, pool=pool)) == b"ok"
        assert len(pool) == 0


async def test_an_answer_that_was_not_read_to_its_end_is_not_kept(stream, pool):
    async with saying(OK + b"content-length: 9\r\n\r\nabc", pause_s=1) as server:
        (await stream(server.url, pool=pool)).close()
    assert len(pool) == 0


async def test_a_kept_connection_is_judged_again(stream, pool):
    server = keeping([OK + b"content-length: 2\r\n\r\nok"] * 2)
    async with server.running():
        await read(await stream(server.url, pool=pool))
        with pytest.raises(PolicyRefused):
            await stream(server.url, pool=pool, guard=Guard(NetworkAllowlist()))
    assert len(server.heads) == 1


async def test_kept_connections_do_not_outlive_their_time(stream):
    pool = Pool(idle_s=0.1)
    server = keeping([OK + b"content-length: 2\r\n\r\nok"] * 2)
    async with server.running():
        await read(await stream(server.url, pool=pool))
        assert len(pool) == 1
        await asyncio.sleep(0.3)
        assert len(pool) == 0
    pool.close()
