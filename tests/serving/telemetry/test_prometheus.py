from serving.telemetry.prometheus import Counter, Gauge, Histogram, page


def test_a_page_has_help_type_and_every_sample():
    counter = Counter("things_total", "Things", known=[{"kind": "a"}])
    counter.add(kind="b")
    counter.add(2, kind="b")
    gauge = Gauge("level_bytes", "Level", lambda: 1.5)

    assert page([counter, gauge]).splitlines() == [
        "# HELP things_total Things",
        "# TYPE things_total counter",
        'things_total{kind="a"} 0',
        'things_total{kind="b"} 3',
        "# HELP level_bytes Level",
        "# TYPE level_bytes gauge",
        "level_bytes 1.5",
    ]


def test_a_histograms_buckets_are_cumulative_and_hold_their_upper_bound():
    histogram = Histogram("wait_seconds", "Wait", bounds=(0.1, 1))
    histogram.observe(0.1, 0.5, 1)
    histogram.observe(7)

    assert histogram.lines() == [
        'wait_seconds_bucket{le="0.1"} 1',
        'wait_seconds_bucket{le="1"} 3',
        'wait_seconds_bucket{le="+Inf"} 4',
        "wait_seconds_sum 8.6",
        "wait_seconds_count 4",
    ]


def test_a_label_with_quotes_and_newlines_stays_one_line():
    counter = Counter("things_total", "Things")
    counter.add(kind='a"b\\c\nd')

    assert counter.lines() == ['things_total{kind="a\\"b\\\\c\\nd"} 1']


def test_a_counter_without_labels_is_there_from_the_start():
    assert Counter("things_total", "Things").lines() == ["things_total 0"]
