"""Operators, imports, the registry file and the poller at the same rows at once: nobody waits in a circle."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from core.audit.models import AuditRecord
from core.problems import Problem
from nodes import services
from nodes.announcer import Announcer
from nodes.client import Outcome, ProbeResult
from nodes.models import Node, NodeState, Revision
from nodes.recording import Finished, record_results
from nodes.schedule import claim_all, claim_due
from tests.factories import make_node

pytestmark = pytest.mark.django_db(transaction=True)

URL = "http://10.0.0.5:9102"
IDS = [f"n{number:02}" for number in range(30)]
LASTS_S = 3.0

Act = Callable[[random.Random], object]


def edit(actor: Any) -> Act:
    def act(chance: random.Random) -> None:
        node_id = chance.choice(IDS)
        change = {"router_url": f"http://10.0.0.5:{chance.randrange(1000, 2000)}"}
        services.update_node(node_id, change, actor)

    return act


def count_up(actor: Any) -> Act:
    """Reads and writes one node from the revision that it read: each edit that is taken is one more."""

    def act(chance: random.Random) -> str:
        node = Node.objects.get(pk=IDS[0])
        number = int(node.overrides.get("role", "0")) + 1
        services.update_node(IDS[0], {"role": str(number)}, actor, {node.tag})
        return "counted"

    return act


def bring_in(actor: Any, others: list[str]) -> Act:
    def act(chance: random.Random) -> None:
        ids = chance.sample([*IDS[1:], *others], 15)
        label = f"L{chance.random()}"
        nodes = [{"node_id": id, "router_url": URL, "label": label} for id in ids]
        services.import_nodes(nodes, actor)

    return act


def take_out(actor: Any, others: list[str]) -> Act:
    return lambda chance: services.delete_node(chance.choice(others), actor)


def probe(worker: str) -> Act:
    """What a poller does, without the network; `claim_all` takes what edits have not made due as well."""

    def act(chance: random.Random) -> None:
        now = timezone.now()
        claims = claim_due(20, worker, now) or claim_all(worker, now)
        answers = [
            ProbeResult(claim.node_id, Outcome.ANSWERED, source="health") for claim in claims
        ]
        batch = [
            Finished(claim, answer, now) for claim, answer in zip(claims, answers, strict=True)
        ]
        record_results(batch, Announcer())

    return act


def at_once(acts: list[Act]) -> Counter[str]:
    """Do each again and again for a while; how often what came out, by its word or its error."""
    ends_at = time.monotonic() + LASTS_S

    def run(index: int) -> Counter[str]:
        chance, found = random.Random(index), Counter[str]()
        try:
            while time.monotonic() < ends_at:
                try:
                    found[str(acts[index](chance))] += 1
                except Problem as problem:
                    found[problem.code] += 1
                except Exception as error:
                    found[f"{type(error).__name__}: {str(error).splitlines()[0]}"] += 1
        finally:
            connection.close()
        return found

    with ThreadPoolExecutor(len(acts)) as threads:
        return sum(threads.map(run, range(len(acts))), Counter[str]())


def test_nobody_waits_in_a_circle_and_no_edit_is_lost(sync: Any, actor: Any) -> None:
    sync(**{id: {"label": id, "router_url": URL} for id in IDS})
    others = [f"x{number}" for number in range(6)]

    def take_over(chance: random.Random) -> None:
        label = f"F{chance.random()}"
        sync(**{id: {"label": label, "router_url": URL} for id in IDS})

    acts = [edit(actor), bring_in(actor, others), bring_in(actor, others), take_out(actor, others)]
    acts += [count_up(actor), count_up(actor), probe("a"), probe("b"), take_over]

    found = at_once(acts)

    allowed = {"None", "counted", "node_not_found", "node_exists", "precondition_failed"}
    assert found.keys() <= allowed, found
    count_up(actor)(
        random.Random(0)
    )  # in the storm it may never have been first; in the calm it is
    assert found["counted"] + 1 == int(Node.objects.get(pk=IDS[0]).overrides["role"])
    for node in Node.objects.all():
        assert Revision.objects.filter(node=node).count() == node.version
        assert NodeState.objects.filter(node=node).exists()
    seqs = list(AuditRecord.objects.values_list("seq", flat=True))
    assert seqs == list(range(1, len(seqs) + 1))


def test_an_edit_waits_for_nobody_who_only_refers_to_the_node(actor: Any) -> None:
    """A probe that is written down refers to its node: that must not stand in the way of an edit."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    make_node("a")

    def change() -> object:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '1s'")
            return services.update_node("a", {"label": "New"}, actor).version
        finally:
            connection.close()

    with transaction.atomic(), ThreadPoolExecutor(1) as threads:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM nodes_node WHERE node_id = 'a' FOR KEY SHARE")
        assert threads.submit(change).result(10) == 2
