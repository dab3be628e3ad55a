"""Addresses that could be read in two ways are refused when they are saved, and are never connected to (C01)."""

import pytest

from core.outbound import Purpose
from core.outbound.engine import fetch
from core.outbound.errors import OutboundError
from core.outbound.guard import get_guard
from core.outbound.urls import UrlRefused, parse

MALFORMED = [
    "", "127.0.0.1", "//127.0.0.1/", "http:/127.0.0.1/", "http://", "http:///path", "http://?x",
    "file:///etc/passwd", "gopher://127.0.0.1:6379/_PING", "ftp://127.0.0.1/", "unix:/run/x.sock",
    "http+unix://%2Frun%2Fx.sock/", "javascript:alert(1)", "dict://127.0.0.1:11211/", "ws://127.0.0.1/",
    "http://good@evil/", "http://good.example:80@169.254.169.254/", "http://:pw@127.0.0.1/", "http://@127.0.0.1/",
    "http://n\\@evil/", "http://127.0.0.1\\.evil/", "http:\\\\127.0.0.1/",
    "http://127.1/", "http://0x7f.1/", "http://0x7f000001/", "http://2130706433/", "http://0177.0.0.1/",
    "http://127.0.0.01/", "http://0x7f.0.0.1/", "http://127.0.0.0x1/", "http://127.0.1/", "http://127.0.0.1./",
    "http://1.2.3.4.5/", "http://256.0.0.1/", "http://1.2.3.4.example.5/", "http://0/", "http://evil.0x/",
    "http://localhost./", "http://.localhost/", "http://a..b/", "http://-a.example/", "http://a_b.example/",
    "http://%31%32%37.0.0.1/", "http://127.0.0.1%2f/", "http://127。0。0。1/", "http://①②⑦.0.0.1/", "http://exämple.net/",
    "http://[::1/", "http://::1/", "http://[127.0.0.1]/", "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/",
    "http://[::ffff:169.254.169.254]/", "http://[::ffff:a9fe:a9fe]/", "http://[::ffff:127.0.0.1]/", "http://[::1]evil/",
    "http://[v1.x]/", "http://[]/", "http://a[::1]/",
    "http://h:0/", "http://h:/", "http://h:080/", "http://h:65536/", "http://h:80x/", "http://h:+80/", "http://h: 80/",
    "http://h:80:80/", "http://h:-1/", "http://h:８０/",
    "http://h/#x", "http://h#@evil/", "http://h/a b", "http://h/\r\nX: y", "http://h/\x00", "http://h\t/", " http://h/",
    "http://h/\n", "http://h/a%zz", 'http://h/"', "http://h/<x>", "http://h/é", "http://" + "a" * 64 + "/",
    "http://h/" + "a" * 2050, "http://" + ".".join(["a" * 60] * 5) + "/",
]  # fmt: skip

FORBIDDEN = [
    "http://169.254.169.254/latest/meta-data/", "https://169.254.169.254/", "http://169.254.0.1:8000/",
    "http://[fe80::1]/", "http://[fd00:ec2::254]/", "http://100.100.100.200/", "http://168.63.129.16/",
    "http://0.0.0.0/", "http://0.1.2.3/", "http://[::]/", "http://224.0.0.1/", "http://255.255.255.255/", "http://240.0.0.1/",
    "http://[ff02::1]/", "http://[64:ff9b::a9fe:a9fe]/", "http://[64:ff9b::7f00:1]/", "http://[2002:a9fe:a9fe::]/",
    "http://[2002:7f00:1::]/", "http://[2001:0:7f00:1::1]/", "http://[::a9fe:a9fe]/", "http://[fec0::1]/",
    "http://127.0.0.1:8002/", "http://localhost:8002/", "http://127.9.9.9:8002/", "http://[::1]:8002/",
    "http://127.0.0.1:5432/", "http://127.0.0.1:6379/", "http://a.localhost:6379/", "http://[::1]:5432/",
    "http://8.8.8.8/", "http://[2606:4700::1111]/", "http://192.0.0.192/", "http://198.51.100.1/",
]  # fmt: skip

FINE = [
    ("http://127.0.0.1:9102", "127.0.0.1", 9102, "/"),
    ("http://10.0.0.5/", "10.0.0.5", 80, "/"),
    ("HTTPS://Node-1.Example.NET", "node-1.example.net", 443, "/"),
    ("http://[::1]:9102/base", "::1", 9102, "/base"),
    ("http://[FD00:0::1]/", "fd00::1", 80, "/"),
    ("http://localhost:8000/a%20b?x=1&y=%2F", "localhost", 8000, "/a%20b?x=1&y=%2F"),
    ("http://router?probe", "router", 80, "/?probe"),
    ("http://100.64.1.2:65535", "100.64.1.2", 65535, "/"),
    ("http://xn--exmple-cua.net", "xn--exmple-cua.net", 80, "/"),
]


@pytest.mark.parametrize("url", MALFORMED)
def test_it_refuses_what_can_be_read_in_two_ways(url):
    with pytest.raises(UrlRefused) as refusal:
        parse(url)
    assert str(refusal.value)


@pytest.mark.parametrize(("url", "host", "port", "path"), FINE)
def test_it_reads_plain_addresses(url, host, port, path):
    target = parse(url)

    assert (target.host, target.port, target.request_path) == (host, port, path)


def test_a_message_never_repeats_what_stood_before_the_at_sign():
    with pytest.raises(UrlRefused) as refusal:
        parse("http://admin:hunter2@node/")
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("url", FORBIDDEN)
def test_the_shipped_policy_refuses_it_on_save(url):
    with pytest.raises(UrlRefused):
        get_guard().check_url(url, Purpose.PROBE)


@pytest.mark.parametrize("url", MALFORMED + FORBIDDEN)
async def test_nothing_of_this_is_ever_connected_to(url, network):
    with pytest.raises(OutboundError):  # `a.localhost` has no address on some machines
        await fetch("GET", url, purpose=Purpose.PROBE, deadline_s=1, max_bytes=10)
    assert network.connects == []


@pytest.mark.parametrize(("url", "host", "port", "path"), FINE)
def test_the_shipped_policy_lets_private_nodes_pass(url, host, port, path):
    assert get_guard().check_url(url, Purpose.PROBE).port == port


@pytest.mark.parametrize(
    ("url", "authority"),
    [("http://h", "h"), ("http://h:80", "h"), ("http://h:81", "h:81"), ("https://[::1]:443", "[::1]"), ("https://[::1]:80", "[::1]:80")],
)  # fmt: skip
def test_the_host_header_names_the_port_only_where_it_is_not_the_schemes(url, authority):
    assert parse(url).authority == authority
