import pytest

from serving.telemetry.context import read

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_callers_ids_are_kept():
    context = read("order-7", f"00-{TRACE}-{SPAN}-01")

    assert (context.request_id, context.trace_id, context.parent_span_id) == ("order-7", TRACE, SPAN)
    assert context.is_sampled is True
    assert read(None, f"00-{TRACE}-{SPAN}-00").is_sampled is False


@pytest.mark.parametrize(
    "traceparent",
    [
        None,
        "",
        "nonsense",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
    ],
)
def test_a_malformed_trace_header_is_replaced_by_a_new_trace(traceparent):
    one, other = read(None, traceparent), read(None, traceparent)

    assert len(one.trace_id) == 32
    assert one.trace_id not in (other.trace_id, TRACE)
    assert (one.parent_span_id, one.is_sampled) == (None, None)


@pytest.mark.parametrize("request_id", ["", "two\nlines", "x" * 129, "é"])
def test_a_request_id_that_could_break_a_log_line_is_replaced(request_id):
    assert len(read(request_id, None).request_id) == 32
