"""The chain itself, without a store: how a record is sealed, and how a broken chain is told apart from a whole one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import orjson

from core.audit.models import AuditRecord

GENESIS = "0" * 64

#: The number of the record whose `previous` is this digest, if there is one.
Successor = Callable[[str], int | None]


@dataclass(frozen=True, slots=True)
class Verification:
    """What a walk along the chain found. `first_bad` is the number of the first record that does not hold."""

    ok: bool
    rows: int
    first_bad: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A head of the chain as it was seen once: this record had this digest."""

    seq: int
    digest: str


def digest(row: AuditRecord) -> str:
    """SHA-256 over every column but itself, in a fixed order."""
    fields = [
        row.seq, row.ts.isoformat(), row.actor, row.actor_kind, row.action, row.target,
        row.outcome, row.detail, row.request_id, row.address, row.previous,
    ]  # fmt: skip
    return hashlib.sha256(orjson.dumps(fields)).hexdigest()


def verify(
    rows: Iterable[AuditRecord], marks: Iterable[Mark], successor: Successor
) -> Verification:
    """Walk the whole chain in order and compare it with the heads that were noted outside of it."""
    expected = {mark.seq: mark.digest for mark in marks}
    before, last, count = "", GENESIS, 0
    walk = _with_next(rows)
    for row, following in walk:
        fault = _fault(row, following, count + 1, last, successor)
        if fault and row.seq == count + 1 and row.previous == before:
            fault = count, "inserted: the record after it follows from the one before it"
        if fault:
            first_bad, why = fault
            return Verification(False, count + 1 + sum(1 for _ in walk), first_bad, why)
        if expected.pop(row.seq, row.digest) != row.digest:
            why = _unlike_anchor(row, following, last)
            return Verification(False, count + 1 + sum(1 for _ in walk), row.seq, why)
        before, last, count = last, row.digest, count + 1
    if expected:
        why = f"cut: the anchor knows {max(expected)} records; the last {max(expected) - count} are gone"
        return Verification(False, count, count + 1, why)
    return Verification(True, count)


def _fault(
    row: AuditRecord, following: AuditRecord | None, seq: int, last: str, successor: Successor
) -> tuple[int, str] | None:
    """(number, why) when the record is not the one that follows `last` as number `seq`."""
    is_sealed = digest(row) == row.digest
    if row.seq == seq and row.previous == last:
        return None if is_sealed else (seq, "edited: the content does not match its digest")
    if row.seq < seq:
        return row.seq, "inserted: the number was given already"
    moved = successor(last)
    if moved is not None and moved != seq:
        return seq, f"reordered: the record that belongs here is number {moved}"
    if row.seq > seq:
        gone = f"{seq} is" if row.seq == seq + 1 else f"{seq} to {row.seq - 1} are"
        return seq, f"deleted: {gone} missing"
    return _stranger(row, following, seq, is_sealed)


def _unlike_anchor(row: AuditRecord, following: AuditRecord | None, last: str) -> str:
    """Why a record that follows well is not the one that the anchor knows."""
    if following is None or following.previous == row.digest:
        return "rewritten: the anchor knows another record here, so the chain was made anew from here on"
    if following.previous == last:
        return "inserted: the record after it follows from the one before it"
    return "edited: the record was rewritten together with its digest"


def _stranger(
    row: AuditRecord, following: AuditRecord | None, seq: int, is_sealed: bool
) -> tuple[int, str]:
    """The right number, but not the record that followed: tell by its neighbour whether it or the one before was changed."""
    is_followed = following is not None and following.previous == row.digest
    if not is_followed:
        return seq, "inserted: it does not follow from the record before it"
    if is_sealed:
        return max(1, seq - 1), "edited: the record was rewritten together with its digest"
    return seq, "edited: the content does not match its digest"


def _with_next(rows: Iterable[AuditRecord]) -> Iterator[tuple[AuditRecord, AuditRecord | None]]:
    held: AuditRecord | None = None
    for row in rows:
        if held is not None:
            yield held, row
        held = row
    if held is not None:
        yield held, None
