from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from ui.wire import MAX_SENTENCE_CHARS, retry_after, sentence


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"error": {"message": "no room"}}', "no room"),
        (b'[{"error": {"message": "no room"}}]', "no room"),
        (b'{"error": "no room"}', "no room"),
        (b'{"detail": "no\\n  room"}', "no room"),
        (b"no room\n", "no room"),
        (b'{"error": {"message": "{\\"detail\\": \\"no room\\"}"}}', "no room"),
        (b'{"error": {"message": "{\\"half"}}', '{"half'),
        (b'{"error": {}}', ""),
        (b'{"detail": [{"loc": ["body"], "msg": "field required"}]}', "field required"),
        (b"<!doctype html><p>502", ""),
        (b"", ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"null", ""),
    ],
)
def test_a_body_says_one_plain_sentence_or_nothing(raw, said):
    assert sentence(raw) == said


def test_a_sentence_is_cut_at_a_length_that_fits_the_page():
    assert len(sentence(b"x" * 5000)) == MAX_SENTENCE_CHARS


def test_retry_after_is_seconds_or_a_date():
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)

    assert retry_after({"retry-after": "12"}) == 12
    assert 58 <= (retry_after({"retry-after": in_a_minute}) or 0) <= 60
    assert retry_after({"retry-after": "Sat, 01 Jan 2000 00:00:00 GMT"}) == 0
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({"retry-after": "-1"}) is None
    assert retry_after({}) is None
