"""The policy file and what the guard makes of it."""

import ipaddress
import socket
from pathlib import Path

import pytest
from django.conf import settings
from pydantic import ValidationError

from core.metrics import REGISTRY
from core.outbound import Purpose, guard
from core.outbound.errors import PolicyRefused
from core.outbound.guard import Guard, is_own_address, load_allowlist
from core.outbound.policy import ALWAYS_DENY, Egress, NetworkAllowlist
from core.outbound.urls import UrlRefused
from core.policies.errors import PolicyError
from core.policies.loader import load_policy

SHIPPED = Path(settings.BASE_DIR) / "config" / "network_allowlist.yml"
HOOKS = {"name": "hooks", "for": ["webhook"], "hosts": ["*.example.net", "hook.test"], "schemes": ["https"], "ports": [443]}  # fmt: skip


def of(*rules: dict, **egress: object) -> Guard:
    return Guard(NetworkAllowlist.model_validate({"egress": {"rules": rules, **egress}}))


def refused(judge: Guard, ip: str, port: int = 443, purpose: Purpose = Purpose.WEBHOOK) -> bool:
    try:
        judge.check_address(purpose, "https", "a.example.net", ip, port)
    except PolicyRefused:
        return True
    return False


def test_the_shipped_file_is_valid_and_denies_what_the_defaults_deny():
    shipped = load_policy(SHIPPED, NetworkAllowlist).value

    assert shipped.egress.always_deny == Egress().always_deny
    assert {purpose for rule in shipped.egress.rules for purpose in rule.purposes} == set(Purpose)


@pytest.mark.parametrize(
    "change",
    ["egress: {surprise: 1}", "egress: {default: allow}", "egress: {dns: {max_redirects: 3}}", "egress: {dns: {pin: false}}",
     "egress: {rules: [{name: x, for: [probe]}]}", "egress: {rules: [{name: x, for: [mining], cidrs: ['10.0.0.0/8']}]}",
     "egress: {rules: [{name: x, for: [probe], cidrs: ['10.0.0.1/8']}]}", "egress: {rules: [{name: x, for: [probe], cidrs: ['10/8']}]}",
     "egress: {rules: [{name: x, for: [probe], hosts: ['*'], ports: [0]}]}", "egress: {never_ports_here: [mysql]}",
     "egress: {rules: [{name: x, for: [probe], hosts: ['a.*.b']}]}", "ingress: {trusted_proxies: ['proxy.local']}", "extra: 1"],
)  # fmt: skip
def test_a_fault_in_the_file_is_told_with_its_line(change, tmp_path):
    path = tmp_path / "network_allowlist.yml"
    path.write_text(change)

    with pytest.raises(PolicyError, match=r"network_allowlist\.yml:1:\d+: "):
        load_policy(path, NetworkAllowlist)


def test_a_faulty_file_leaves_the_old_guard_in_force(settings, tmp_path):
    before = guard.get_guard()
    (tmp_path / "network_allowlist.yml").write_text("egress: {surprise: 1}")
    settings.CONFIG_DIR = tmp_path

    with pytest.raises(PolicyError):
        guard.reload()
    assert guard.get_guard() is before


def test_a_configuration_without_the_file_uses_the_shipped_one(settings, tmp_path):
    settings.CONFIG_DIR = tmp_path

    assert load_allowlist() == load_policy(SHIPPED, NetworkAllowlist).value


def test_the_policy_cannot_be_changed_in_place():
    with pytest.raises(ValidationError):
        load_allowlist().egress.default = "allow"


def test_a_rule_holds_only_where_all_of_it_holds():
    judge = of(HOOKS)

    judge.check_address(Purpose.WEBHOOK, "https", "a.example.net", "203.0.113.9", 443)
    for purpose, scheme, host, port in [
        (Purpose.PROBE, "https", "a.example.net", 443),
        (Purpose.WEBHOOK, "http", "a.example.net", 443),
        (Purpose.WEBHOOK, "https", "example.net.evil", 443),
        (Purpose.WEBHOOK, "https", "evilexample.net", 443),
        (Purpose.WEBHOOK, "https", "a.example.net", 8443),
    ]:
        with pytest.raises(PolicyRefused):
            judge.check_address(purpose, scheme, host, "203.0.113.9", port)


def test_a_name_is_judged_on_save_as_far_as_its_port_goes():
    judge = of(HOOKS)

    assert judge.check_url("https://hook.test/x", Purpose.WEBHOOK).host == "hook.test"
    for url in ("http://hook.test/x", "https://hook.test:8443/x", "https://other.test/x"):
        with pytest.raises(UrlRefused):
            judge.check_url(url, Purpose.WEBHOOK)


@pytest.mark.parametrize("network", ALWAYS_DENY)
def test_no_rule_can_allow_what_is_always_denied(network):
    judge = of({"name": "all", "for": ["webhook"], "hosts": ["*"]})
    first = ipaddress.ip_network(network)[0]
    if network != "::ffff:0:0/96":  # judged by its IPv4 address
        assert refused(judge, str(first))


@pytest.mark.parametrize(
    "ip",
    ["::ffff:169.254.169.254", "2002:a9fe:a9fe::1", "64:ff9b::169.254.169.254", "::169.254.169.254",
     "2001:0:a9fe:a9fe::1", "not an address", "fe80::1%eth0"],
)  # fmt: skip
def test_an_address_that_carries_a_denied_one_is_denied(ip):
    judge = of(
        {"name": "all", "for": ["webhook"], "hosts": ["*"]},
        always_deny=["169.254.0.0/16", "fe80::/10"],
    )
    assert refused(judge, ip)


def test_a_mapped_address_is_judged_by_its_ipv4():
    judge = of({"name": "lan", "for": ["webhook"], "cidrs": ["10.0.0.0/8"]})

    asked = (Purpose.WEBHOOK, "https", "h", "::ffff:10.0.0.5", 443)
    assert judge.check_address(*asked) == "10.0.0.5"


def test_ports_of_our_own_are_refused_here_and_allowed_elsewhere():
    allowlist = NetworkAllowlist.model_validate(
        {"egress": {"never_ports_here": ["self", "postgres", 9999],
                    "rules": [{"name": "all", "for": ["webhook"], "hosts": ["*"]}]}}
    )  # fmt: skip
    judge = Guard(allowlist, {"self": frozenset({8002}), "postgres": frozenset({6543})})

    for port in (8002, 5432, 6543, 9999):
        assert refused(judge, "127.0.0.1", port)
        assert refused(judge, "::ffff:127.0.0.1", port)
        assert refused(judge, "::1", port)
        assert not refused(judge, "10.255.255.1", port)
    assert not refused(judge, "127.0.0.1", 6379)


def test_every_address_of_this_machine_is_our_own():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("10.255.255.255", 9))
        here = probe.getsockname()[0]

    assert is_own_address(ipaddress.ip_address(here))
    assert is_own_address(ipaddress.ip_address("127.8.9.10"))
    assert not is_own_address(ipaddress.ip_address("203.0.113.1"))


def test_a_refusal_is_counted_and_told():
    told = []

    def count() -> float:
        return (
            REGISTRY.get_sample_value("sofiia_outbound_refused_total", {"purpose": "webhook"}) or 0
        )

    before = count()
    guard.on_refusal(told.append)
    try:
        assert refused(of(), "203.0.113.9")
    finally:
        guard.on_refusal(None)

    assert count() == before + 1
    assert (told[0].host, told[0].address, told[0].port) == ("a.example.net", "203.0.113.9", 443)


def test_a_listener_that_fails_does_not_undo_the_refusal():
    def listener(refusal: object) -> None:
        raise RuntimeError("no database")

    guard.on_refusal(listener)
    try:
        assert refused(of(), "203.0.113.9")
    finally:
        guard.on_refusal(None)
