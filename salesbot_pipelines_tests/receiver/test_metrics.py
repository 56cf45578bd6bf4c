"""The numbers in Prometheus' text form."""

from __future__ import annotations

import re
import threading

from salesbot_pipelines.receiver.metrics import Counter, Histogram, Metrics


def test_a_counter_counts_in_many_threads():
    counter = Counter("n", "meaning", ("a",))
    threads = [threading.Thread(target=lambda: [counter.add("x") for _ in range(2000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.total("x") == 8000


def test_buckets_are_cumulative_and_end_with_all():
    histogram = Histogram("h", "meaning", (1, 5), ("route",))
    for value in (0.5, 1, 2, 9):
        histogram.observe(value, "r")
    assert list(histogram.lines())[2:] == [
        'h_bucket{route="r",le="1"} 2',
        'h_bucket{route="r",le="5"} 3',
        'h_bucket{route="r",le="+Inf"} 4',
        'h_sum{route="r"} 12.500000',
        'h_count{route="r"} 4',
    ]


def test_the_whole_text_has_the_form():
    metrics = Metrics()
    metrics.gauge("salesbot_receiver_queue", "events that wait", lambda: 3)
    metrics.requests.add("webhook", "200")
    metrics.seconds.observe(0.002, "webhook")
    metrics.requests.add('od"d\\\n', "200")
    line = re.compile(r'[a-z_]+(\{([a-z]+="([^"\\\n]|\\["\\n])*",?)+\})? [0-9.e+-]+')
    for text in metrics.text().splitlines():
        assert text.startswith(("# HELP ", "# TYPE ")) or line.fullmatch(text), text
    assert "salesbot_receiver_queue 3" in metrics.text()
    assert metrics.text().endswith("\n")
