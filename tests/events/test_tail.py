"""`manage.py events tail` shows the log to people and to programs."""

from __future__ import annotations

import json
import threading
import time
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from events.management.commands import events as command
from events.retention import _delete_through
from events.sentences import glyph, sentence
from events.services import NewEvent, append, append_many

pytestmark = pytest.mark.django_db(transaction=True)


def tail(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("events", "tail", *arguments, stdout=out, no_color=True)
    return out.getvalue().splitlines()


def test_it_shows_the_last_events_in_a_sentence_each():
    append("ops.run", {"run_id": 4, "task": "release_check", "status": "failed"}, node_id="NODA1")
    (line,) = tail()
    assert "NODA1: run 4 of release_check is failed" in line
    assert line.startswith("■ ")


def test_it_shows_only_so_many():
    ids = append_many([NewEvent("error", {"code": "x"})] * 30)
    lines = tail("--lines", "5")
    assert [line.split("#")[1] for line in lines] == [str(id) for id in ids[-5:]]


def test_it_shows_everything_after_an_id():
    ids = append_many([NewEvent("error", {"code": "x"})] * 450)
    assert len(tail("--since", str(ids[9]))) == 440


def test_it_filters_by_type_and_node():
    append("error", {"code": "a"}, node_id="NODA1")
    append("error", {"code": "b"}, node_id="NODA2")
    append("alert", {"name": "c"}, node_id="NODA1")
    assert len(tail("--type", "error", "--node", "NODA1")) == 1
    assert len(tail("--type", "error", "--type", "alert")) == 3


def test_json_is_the_frame_of_the_stream():
    event = append("error", {"code": "x"})
    (line,) = tail("--json")
    frame = json.loads(line)
    assert frame["id"] == event.id
    assert frame["data"] == {"code": "x"}


def test_it_says_that_something_is_missing(capsys):
    ids = append_many([NewEvent("error", {"code": "x"})] * 5)
    _delete_through(ids[2])
    err = StringIO()
    call_command("events", "tail", "--since", "0", stdout=StringIO(), stderr=err)
    assert f"up to {ids[2]} are no longer kept" in err.getvalue()


def test_it_follows_until_it_is_interrupted(monkeypatch):
    append("error", {"code": "before"})
    naps = iter(["live", "later"])

    def nap(_seconds: float) -> None:
        code = next(naps, None)
        if code is None:
            raise KeyboardInterrupt
        thread = threading.Thread(target=_append_elsewhere, args=(code,))
        thread.start()
        thread.join()

    monkeypatch.setattr(
        command, "time", type("T", (), {"sleep": staticmethod(nap), "time": time.time})
    )
    assert [line.split()[3] for line in tail("--follow")] == ["before", "live", "later"]


def _append_elsewhere(code: str) -> None:
    append("error", {"code": code})
    connection.close()


def test_a_type_that_cannot_be_is_refused():
    with pytest.raises(CommandError):
        tail("--type", "Ops Run")


@pytest.mark.parametrize(
    ("type", "data", "said"),
    [
        ("nodes.status", {"summary": {"total": 2, "online": 1, "degraded": 0, "offline": 1, "unknown": 0},
                          "changed": [{"node_id": "NODA1", "status": "offline"}]},
         "NODA1 is offline. 2 nodes: 1 online, 1 offline"),
        ("nodes.status", {"summary": {"total": 9, "online": 4, "degraded": 1, "offline": 4, "unknown": 0},
                          "cycle": {"probed": 2, "failed": 1, "duration_ms": 29027.4},
                          "changed": [{"node_id": "a", "status": "online"}, {"node_id": "b", "status": "degraded"},
                                      {"node_id": "c", "status": "offline", "reasons": ["connection refused", "x"]},
                                      {"node_id": "d", "status": "?"}]},
         "c is offline (connection refused), b is degraded, a is online and 1 more. "
         "9 nodes: 4 online, 1 degraded, 4 offline; 2 of 9 probed, 1 failed"),
        ("node.changed", {"node_id": "N", "action": "changed", "change": {"label": ["a", "b"]}, "by": "olena"},
         "N was changed: label by olena"),
        ("audit", {"actor": "key:ci", "action": "node.update", "target": "N", "outcome": "refused"},
         "key:ci: node.update N was refused"),
        ("audit", {"actor": "alice", "action": "session.login", "target": "alice", "outcome": "done"}, "alice logged in"),
        ("audit", {"actor": "alice", "action": "apikey.create", "target": "3f", "outcome": "done",
                   "detail": {"name": "ci {0}"}}, "alice made the key ci {0}"),
        ("audit", {"actor": "nobody", "action": "request.refused", "target": "GET /api/audit", "outcome": "refused"},
         "nobody was refused at GET /api/audit"),
        ("audit", {"actor": "a", "action": "own.deed", "target": "", "outcome": "done", "detail": 7}, "a: own.deed"),
        ("chat.message", {"text": "two\nlines\x1b[31m"}, "two lines [31m"),
        ("error", {"code": "gap", "detail": "why"}, "gap: why"),
        ("nodes.status", {"summary": 7, "text": "odd"}, "odd"),
        ("own.type", {"a": 1, "b": {"c": 2}, "d": "x" * 500}, "a 1, d " + "x" * 152 + "…"),
    ],
)  # fmt: skip
def test_sentences(type, data, said):
    assert sentence(type, data) == said


@pytest.mark.parametrize(
    ("type", "data", "shape"),
    [
        ("nodes.status", {"changed": [{"status": "online"}, {"status": "offline"}]}, "■"),
        ("nodes.status", {"changed": [{"status": "online"}]}, "●"),
        ("nodes.status", {"changed": []}, "·"),
        ("nodes.status", {"changed": 7}, "·"),
        ("node.changed", {"action": "changed"}, "✎"),
        ("ops.run", {"status": "running"}, "▶"),
        ("ops.run", {"status": "timed_out"}, "▲"),
        ("alert", {"severity": "critical"}, "■"),
        ("own.type", {"status": "degraded"}, "▲"),
        ("own.type", {"status": ["odd"]}, "·"),
        ("error", {"code": "x"}, "■"),
    ],
)  # fmt: skip
def test_the_glyph_is_that_of_the_worst_state(type, data, shape):
    assert glyph(type, data) == shape
