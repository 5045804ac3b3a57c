from serving.telemetry.timeline import Timeline


def test_a_timeline_knows_the_wait_the_first_token_and_the_gaps():
    timeline = Timeline(10.0, started=12.0, tokens=[13.0, 13.5, 15.0])

    assert (timeline.queue_s, timeline.first_token_s, timeline.gaps_s) == (2.0, 3.0, [0.5, 1.5])


def test_tokens_that_came_at_once_have_no_gaps():
    assert Timeline(10.0, started=12.0, tokens=[13.0, 13.0, 13.0]).gaps_s == []


def test_what_never_happened_has_no_duration():
    timeline = Timeline(10.0)

    assert (timeline.queue_s, timeline.first_token_s, timeline.gaps_s) == (None, None, [])
