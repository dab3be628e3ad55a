"""The chain: one row a write, unbroken, and broken chains are found out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection, transaction

from core.access.models import User
from core.access.principals import Principal, system
from core.audit import anchor, chain, queries, services
from core.audit.chain import GENESIS
from core.audit.models import AuditRecord
from core.audit.signals import audit_recorded
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)


def write(count: int) -> None:
    for number in range(1, count + 1):
        services.record(
            "node.update", actor=system("tests"), target=f"N{number}", detail={"n": number}
        )


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def test_every_row_follows_from_the_one_before(store: str) -> None:
    write(5)

    rows = queries.page(after=0).items
    assert [row.seq for row in rows] == [1, 2, 3, 4, 5]
    assert [row.previous for row in rows] == [GENESIS, *(row.digest for row in rows[:-1])]
    assert services.verify() == chain.Verification(True, 5)


def test_a_row_says_who_where_and_in_which_request(store: str, actor: Principal) -> None:
    services.record(
        "node.delete", actor=actor, target="NODA1", outcome="refused", detail={"code": "x"}
    )

    row = queries.as_dict(queries.page().items[0])
    assert (row["actor"], row["actor_kind"], row["address"], row["request_id"]) == (
        "olena",
        "user",
        "192.0.2.4",
        "req-1",
    )
    assert (row["action"], row["target"], row["outcome"], row["detail"]) == (
        "node.delete",
        "NODA1",
        "refused",
        {"code": "x"},
    )


def test_a_change_that_fails_leaves_no_row() -> None:
    with transaction.atomic():
        write(1)
        transaction.set_rollback(True)

    assert not AuditRecord.objects.exists()
    assert services.verify().ok


def test_a_change_does_not_happen_when_it_cannot_be_audited(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(1)
    monkeypatch.setattr("core.audit.services.get_store", lambda: 1 / 0)

    @transaction.atomic
    def change() -> None:
        make_user("olena")
        write(1)

    with pytest.raises(ZeroDivisionError):
        change()

    assert not User.objects.exists()


@pytest.mark.parametrize(("tamper", "first_bad", "why"), [
    (["UPDATE audit_auditrecord SET actor='eve' WHERE seq=4"], 4, "edited"),
    (["UPDATE audit_auditrecord SET detail='{}' WHERE seq=1"], 1, "edited"),
    (["UPDATE audit_auditrecord SET ts='2026-01-01 00:00:00+00:00' WHERE seq=7"], 7, "edited"),
    (["UPDATE audit_auditrecord SET digest='00' WHERE seq=5"], 5, "edited"),
    (["UPDATE audit_auditrecord SET previous='00' WHERE seq=5"], 5, "edited"),
    (["DELETE FROM audit_auditrecord WHERE seq=4"], 4, "deleted"),
    (["DELETE FROM audit_auditrecord WHERE seq IN (1, 2)"], 1, "deleted"),
    (["DELETE FROM audit_auditrecord WHERE seq > 5"], 6, "cut"),
    (["DELETE FROM audit_auditrecord WHERE seq = 8"], 8, "cut"),
    (["DELETE FROM audit_auditrecord"], 1, "cut"),
    (["UPDATE audit_auditrecord SET seq=100 WHERE seq=3", "UPDATE audit_auditrecord SET seq=3 WHERE seq=6",
      "UPDATE audit_auditrecord SET seq=6 WHERE seq=100"], 3, "reordered"),
    (["UPDATE audit_auditrecord SET seq=100 WHERE seq=3"], 3, "reordered"),
    (["UPDATE audit_auditrecord SET seq=0 WHERE seq=8"], 0, "inserted"),
])  # fmt: skip
def test_a_tampered_table_is_found_out(tamper: list[str], first_bad: int, why: str) -> None:
    write(8)
    assert services.verify().ok

    execute(*tamper)

    found = services.verify()
    assert (found.ok, found.first_bad, found.why.split(":")[0]) == (False, first_bad, why)


def test_a_forged_last_row_is_found_out() -> None:
    write(3)
    row = AuditRecord.objects.get(seq=3)
    row.seq, row.previous = 4, "0" * 64
    row.digest = chain.digest(row)
    row.save(force_insert=True)

    found = services.verify()
    assert (found.first_bad, found.why.split(":")[0]) == (4, "inserted")


def test_a_row_pushed_into_the_middle_is_found_out() -> None:
    write(4)
    for seq in (4, 3):
        execute(f"UPDATE audit_auditrecord SET seq={seq + 1} WHERE seq={seq}")
    forged = AuditRecord.objects.get(seq=2)
    forged.seq, forged.previous, forged.target = 3, forged.digest, "forged"
    forged.digest = chain.digest(forged)
    forged.save(force_insert=True)

    found = services.verify()
    assert (found.first_bad, found.why.split(":")[0]) == (3, "inserted")


def test_a_row_rewritten_with_its_digest_is_found_out() -> None:
    write(4)
    row = AuditRecord.objects.get(seq=2)
    row.target = "forged"
    row.digest = chain.digest(row)
    row.save()

    found = services.verify()
    assert (found.first_bad, found.why.split(":")[0]) == (2, "edited")


def test_a_chain_that_was_forged_to_its_end_is_found_by_the_anchor() -> None:
    write(4)
    last = GENESIS
    for row in AuditRecord.objects.order_by("seq"):
        row.actor, row.previous = "eve", last
        row.digest = last = chain.digest(row)
        row.save()

    found = services.verify()
    assert (found.first_bad, found.why.split(":")[0]) == (1, "rewritten")


@pytest.mark.parametrize(("tamper", "first_bad", "why"), [
    (lambda lines: [lines[0].replace(b"system:tests", b"system:eve"), *lines[1:]], 1, "edited"),
    (lambda lines: lines[:2] + lines[3:], 3, "deleted"),
    (lambda lines: lines[:-1], 5, "cut"),
    (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], 2, "reordered"),
    (lambda lines: [*lines[:2], b"garbage\n", *lines[3:]], 3, "edited"),
    (lambda lines: [*lines[:2], lines[1], *lines[2:]], 2, "inserted"),
])  # fmt: skip
def test_a_tampered_file_is_found_out(
    settings: object,
    data_dir: Path,
    tamper: Callable[[list[bytes]], list[bytes]],
    first_bad: int,
    why: str,
) -> None:
    settings.ENVIRONMENT.audit_backend = "jsonl"  # type: ignore[attr-defined]
    try:
        write(5)
        assert services.verify().ok
        [file] = (data_dir / "audit").glob("*.jsonl")

        file.write_bytes(b"".join(tamper(file.read_bytes().splitlines(keepends=True))))

        found = services.verify()
        assert (found.ok, found.first_bad, found.why.split(":")[0]) == (False, first_bad, why)
    finally:
        settings.ENVIRONMENT.audit_backend = "auto"  # type: ignore[attr-defined]


def test_eight_writers_make_one_chain(store: str) -> None:
    def writer(number: int) -> None:
        try:
            for _ in range(50):
                with transaction.atomic():
                    services.record("node.update", actor=system(f"w{number}"))
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(writer, range(8)))

    assert services.verify() == chain.Verification(True, 400)
    assert len(anchor.marks("jsonl" if store == "jsonl" else "database")) == 400


@pytest.mark.parametrize("text", ["a\r\nb", "\x00", "\x1b[31m", "\u2028", "\ud800", "x" * 10_000])
def test_hostile_text_is_kept_on_one_line(store: str, text: str) -> None:
    actor = Principal(kind="key", name=text, address=text, request_id=text)

    services.record(
        "node.update", actor=actor, target=text, detail={"text": text, "big": 2**80, text: 1}
    )

    row = queries.page().items[0]
    for value in (row.actor, row.target, row.address, row.request_id):
        assert not set(value) & set("\r\n\x00\x1b\u2028\ud800")
    assert services.verify().ok
    assert queries.as_dict(row)["detail"]


def test_secrets_are_hidden_and_size_is_bounded(store: str) -> None:
    hidden = {
        "password": "p1",
        "list": [{"api_key": "p2"}],
        "Authorization": "p3",
        "csrf_token": "p4",
        "name": "shown",
    }
    services.record("a.b", actor=system("t"), detail=hidden)
    services.record("a.b", actor=system("t"), detail={"x": "y" * 100_000})

    big, small = queries.page().items
    assert not any(secret in small.detail for secret in ("p1", "p2", "p3", "p4"))
    assert "shown" in small.detail
    assert len(big.detail) < 20_000


def test_the_signal_comes_inside_the_transaction(store: str) -> None:
    seen: list[tuple[int, bool]] = []

    def receiver(record: AuditRecord, **_: object) -> None:
        seen.append((record.seq, connection.in_atomic_block))

    audit_recorded.connect(receiver)
    try:
        write(2)
    finally:
        audit_recorded.disconnect(receiver)

    assert seen == [(1, True), (2, True)]


def test_pages_follow_cursors_and_filters(store: str) -> None:
    write(5)
    services.record("apikey.create", actor=system("other"))

    def seqs(**asked: object) -> list[int]:
        return [row.seq for row in queries.page(**asked).items]  # type: ignore[arg-type]

    assert seqs(limit=2) == [6, 5]
    assert queries.page(limit=2).next == "5"
    assert seqs(before=5, limit=2) == [4, 3]
    assert seqs(after=4) == [5, 6]
    assert seqs(after=1, before=4) == [2, 3]
    assert seqs(action="apikey.create") == [6]
    assert seqs(actor="system:tests", limit=1) == [5]
    assert queries.page(before=2).next is None
