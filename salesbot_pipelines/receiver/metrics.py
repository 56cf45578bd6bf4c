"""What the door counts, in Prometheus' text form.

A dozen numbers need no library. Label values are our own words (a route's name, a topic's outcome), never a
path, shop or id from outside, so neither their number nor their text can be steered by a client.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)

_Labels = tuple[str, ...]


class Counter:
    """A number per combination of labels that only grows. Safe to add to from any thread."""

    def __init__(self, name: str, meaning: str, labels: tuple[str, ...] = ()) -> None:
        self.name = name
        self._meaning = meaning
        self._labels = labels
        self._totals: dict[_Labels, int] = {} if labels else {(): 0}
        self._lock = threading.Lock()

    def add(self, *labels: str, by: int = 1) -> None:
        """Add to the number of these label values, given in the order of the labels' names."""
        with self._lock:
            self._totals[labels] = self._totals.get(labels, 0) + by

    def total(self, *labels: str) -> int:
        """Return the number so far."""
        return self._totals.get(labels, 0)

    def lines(self) -> Iterable[str]:
        """Yield the metric's text."""
        yield from _head(self.name, self._meaning, "counter")
        with self._lock:
            totals = sorted(self._totals.items())
        for values, total in totals:
            yield f"{self.name}{_braces(self._labels, values)} {total}"


class Gauge:
    """A number that is looked up when it is asked for."""

    def __init__(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        self.name = name
        self._meaning = meaning
        self._read = read

    def lines(self) -> Iterable[str]:
        """Yield the metric's text."""
        yield from _head(self.name, self._meaning, "gauge")
        yield f"{self.name} {self._read():g}"


class Histogram:
    """How often a value fell below each bound, per combination of labels. Safe from any thread."""

    def __init__(self, name: str, meaning: str, bounds: tuple[float, ...], labels: tuple[str, ...] = ()) -> None:
        self.name = name
        self._meaning = meaning
        self._bounds = bounds
        self._labels = labels
        self._rows: dict[_Labels, list[int]] = {}
        self._sums: dict[_Labels, float] = {}
        self._lock = threading.Lock()

    def observe(self, value: float, *labels: str) -> None:
        """Count one value."""
        with self._lock:
            row = self._rows.get(labels)
            if row is None:
                row = self._rows[labels] = [0] * (len(self._bounds) + 1)
                self._sums[labels] = 0.0
            row[bisect_left(self._bounds, value)] += 1
            self._sums[labels] += value

    def lines(self) -> Iterable[str]:
        """Yield the metric's text; buckets are cumulative, as the format asks."""
        yield from _head(self.name, self._meaning, "histogram")
        with self._lock:
            rows = [(labels, list(row), self._sums[labels]) for labels, row in sorted(self._rows.items())]
        for values, row, total in rows:
            seen = 0
            for bound, count in zip((*self._bounds, None), row, strict=True):
                seen += count
                braces = _braces((*self._labels, "le"), (*values, "+Inf" if bound is None else f"{bound:g}"))
                yield f"{self.name}_bucket{braces} {seen}"
            yield f"{self.name}_sum{_braces(self._labels, values)} {total:.6f}"
            yield f"{self.name}_count{_braces(self._labels, values)} {seen}"


class Metrics:
    """All numbers of one receiver process."""

    def __init__(self) -> None:
        self.requests = Counter(
            "salesbot_receiver_requests_total", "answers by route and status", ("route", "status")
        )
        self.webhooks = Counter("salesbot_receiver_webhooks_total", "webhooks by outcome", ("outcome",))
        self.seconds = Histogram(
            "salesbot_receiver_request_seconds", "time from request to answer by route", SECONDS, ("route",)
        )
        self.batches = Histogram("salesbot_receiver_commit_rows", "events a commit made durable", ROWS)
        self.commits = Histogram("salesbot_receiver_commit_seconds", "time a commit took", SECONDS)
        self.cut = Counter("salesbot_receiver_cut_total", "connections ended without a route, by status", ("status",))
        self.control = Counter("salesbot_receiver_control_total", "uninstalls and privacy requests", ("outcome",))
        self.log_lost = Counter("salesbot_receiver_log_lines_lost_total", "log lines dropped: the reader is too slow")
        self._gauges: list[Gauge] = []

    def gauge(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Add a number that is looked up at every scrape."""
        self._gauges.append(Gauge(name, meaning, read))

    def text(self) -> str:
        """Return everything in Prometheus' text form."""
        families: tuple[Counter | Gauge | Histogram, ...] = (
            self.requests, self.webhooks, self.seconds, self.batches, self.commits, self.cut, self.control,
            self.log_lost, *self._gauges,
        )  # fmt: skip
        return "".join(f"{line}\n" for family in families for line in family.lines())


def _head(name: str, meaning: str, kind: str) -> Iterable[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"


def _braces(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    if not names:
        return ""
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{pairs}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
