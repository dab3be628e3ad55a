"""Circles in a graph of dependencies, in time that grows with nodes and dependencies only, however they are tangled."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

Graph = Mapping[str, Iterable[str]]


def circles(depends: Graph, among: Iterable[str]) -> Iterator[list[str]]:
    """A way round, `[a, b, a]`, for each knot of nodes that need one another and holds one of `among`.

    It begins with the first of `among` in the knot. Dependencies on what is not in the graph lead nowhere.
    """
    knot_of = _knots(depends)
    told: set[str] = set()
    for start in among:
        knot = knot_of.get(start, start)
        is_circle = knot in knot_of or start in depends.get(start, ())
        if is_circle and knot not in told:
            told.add(knot)
            yield _way_round(depends, knot_of, start)


def _knots(depends: Graph) -> dict[str, str]:
    """The nodes that can be reached from one another (Tarjan, without recursion), by the name of their knot."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    waiting: list[str] = []
    is_waiting: set[str] = set()
    knot_of: dict[str, str] = {}
    for root in depends:
        way = [] if root in number else [(root, iter(depends[root]))]
        while way:
            node, others = way[-1]
            if node not in number:
                number[node] = lowest[node] = len(number)
                waiting.append(node)
                is_waiting.add(node)
            other = next((other for other in others if other in depends), None)
            if other is not None:
                if other not in number:
                    way.append((other, iter(depends[other])))
                elif other in is_waiting:
                    lowest[node] = min(lowest[node], number[other])
                continue
            way.pop()
            if way:
                lowest[way[-1][0]] = min(lowest[way[-1][0]], lowest[node])
            if lowest[node] == number[node]:
                _close(node, waiting, is_waiting, knot_of)
    return knot_of


def _close(root: str, waiting: list[str], is_waiting: set[str], knot_of: dict[str, str]) -> None:
    """Take the knot that `root` began off the waiting ones; a node alone is no knot."""
    is_alone = waiting[-1] == root
    while root in is_waiting:
        node = waiting.pop()
        is_waiting.discard(node)
        if not is_alone:
            knot_of[node] = root


def _way_round(depends: Graph, knot_of: Mapping[str, str], start: str) -> list[str]:
    """The shortest way from `start` back to it; there is one."""
    came_from: dict[str, str] = {}
    ahead = deque([start])
    while start not in came_from:
        here = ahead.popleft()
        for other in depends[here]:
            is_near = other == start or knot_of.get(other) == knot_of.get(start, start)
            if is_near and other not in came_from:
                came_from[other] = here
                ahead.append(other)
    way = [start, came_from[start]]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]
