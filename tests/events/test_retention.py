"""Old events go, in small steps, and readers can tell."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from events import queries
from events.models import Event
from events.retention import prune
from events.services import NewEvent, append_many

pytestmark = pytest.mark.django_db(transaction=True)


def _write(count: int, age: timedelta = timedelta()) -> list[int]:
    ids = append_many([NewEvent("ops.run", {})] * count)
    Event.objects.filter(id__in=ids).update(ts=timezone.now() - age)
    return ids


def _kept() -> list[int]:
    return list(Event.objects.order_by("id").values_list("id", flat=True))


def test_it_deletes_what_is_older_than_thirty_days():
    old, young = _write(7, timedelta(days=31)), _write(3, timedelta(days=29))
    assert prune(pause_s=0) == 7
    assert _kept() == young
    assert queries.pruned_through() == old[-1]


def test_it_deletes_the_oldest_of_too_many():
    ids = _write(10)
    assert prune(max_rows=4, pause_s=0) == 6
    assert _kept() == ids[6:]
    assert queries.pruned_through() == ids[5]


def test_it_never_deletes_the_newest():
    ids = _write(5, timedelta(days=400))
    assert prune(pause_s=0) == 4
    assert _kept() == [ids[-1]]
    assert queries.last_id() == ids[-1]


def test_it_works_in_batches(django_assert_max_num_queries):
    _write(1_200, timedelta(days=31))
    _write(1)
    with django_assert_max_num_queries(40):
        assert prune(batch=500, pause_s=0) == 1_200


def test_there_is_nothing_to_do_most_of_the_time():
    _write(3)
    assert prune() == 0
    assert queries.pruned_through() == 0
    assert prune(max_rows=100) == 0


def test_an_empty_log_is_left_alone():
    assert prune() == 0
    assert queries.head().last_id == 0
