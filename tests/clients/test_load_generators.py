"""Load generators as clients: heavy to install, so `make test-clients-heavy` alone runs them."""

import pytest

from tests.clients.conftest import MODEL, ROOT

pytestmark = [pytest.mark.clients, pytest.mark.heavy, pytest.mark.timeout(400)]


def test_aiperf_measures_a_load_of_streamed_chats(run_client, server):
    got = run_client("aiperf", "aiperf_load", server.url, MODEL, ROOT / "models" / MODEL)

    assert got["request_count"] == 64
    assert not got.get("error_request_count")
    assert got["time_to_first_token"] > 0
    assert got["output_token_throughput"] > 0
