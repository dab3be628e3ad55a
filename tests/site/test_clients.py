"""Whose request it is behind proxies."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from sofiia_site.clients import client_of

TRUSTED = [ip_network("127.0.0.1/32"), ip_network("10.0.0.0/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # a stranger's word counts for nothing
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),  # rightmost untrusted, not leftmost
        ("127.0.0.1", "198.51.100.1, 10.2.3.4", "198.51.100.1"),
        ("127.0.0.1", "10.2.3.4", "10.2.3.4"),
        ("127.0.0.1", "198.51.100.1, garbage", "127.0.0.1"),
        ("127.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_the_client_is_the_rightmost_address_no_trusted_proxy_wrote(peer, forwarded, client):
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []

    assert client_of({"client": (peer, 1), "headers": headers}, TRUSTED)[0] == client


def test_only_a_trusted_proxy_may_speak_of_https():
    headers = [(b"x-forwarded-proto", b"https")]

    assert client_of({"client": ("127.0.0.1", 1), "headers": headers}, TRUSTED)[1] == "https"
    assert client_of({"client": ("203.0.113.9", 1), "headers": headers}, TRUSTED)[1] == "http"
