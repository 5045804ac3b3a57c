"""The life of the process: `python -m serving` as a platform starts, probes and stops it."""

import json
import shutil
import signal
import socket
import threading
import time

import httpx
import pytest
from safetensors.torch import load_file, save_file

from serving.lifecycle import Lifecycle
from tests.serving.conftest import ServerProcess

LONG = {"instances": ["Anna asks Ben"], "parameters": {"max_new_tokens": 1200}}
# PyTorch's operations: with our own kernels such an answer of this model is there at once
SLOW = {"MAX_NEW_TOKENS": 4096, "KERNELS": "torch"}


def later(call):
    """Runs `call` in a thread; returns a function that waits for its result."""
    results = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()

    def wait():
        thread.join(60)
        return results[0]

    return wait


def wait_until(is_true, timeout_s=20):
    end = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.02)


def running(url):
    lines = httpx.get(url + "/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("serving_sequences_running "))


def test_port_opens_before_the_weights_load_and_health_tells_the_phases(start_server):
    server = start_server()
    url = server.url
    loading = httpx.get(url + "/health")
    early = httpx.post(url + "/predict", json={"instances": ["Anna"]})
    bodies = []
    while (reply := httpx.get(url + "/health")).status_code == 503:
        bodies.append(reply.json())
        time.sleep(0.02)

    assert loading.status_code == 503
    assert loading.json()["status"] == "loading"
    # 0.8 s after the start on two idle cores; the import alone takes two seconds more
    assert loading.json()["phase"] in ("loading the tokenizer", "importing PyTorch")
    assert (early.status_code, early.headers["retry-after"]) == (503, "5")
    assert early.json()["error"]["message"].startswith("the server is loading: ")
    phases = bodies[-1]["phases"]
    order = [
        "starting",
        "loading the tokenizer",
        "importing PyTorch",
    ]  # as many as were seen: health is asked now and then
    assert [phase["phase"] for phase in phases][:3] == order[: len(phases)]
    assert phases[-1]["phase"] == bodies[-1]["phase"]
    assert sum(phase["seconds"] for phase in phases) == pytest.approx(bodies[-1]["elapsed_s"], abs=0.3)
    assert sorted(body["elapsed_s"] for body in bodies) == [body["elapsed_s"] for body in bodies]
    assert (reply.status_code, reply.json()) == (200, {"status": "healthy", "health": "ok"})
    told = ["loading the tokenizer (", "importing PyTorch (", "loading weights, ", "warming up ("]
    assert sorted(told, key=server.log.index) == told


def test_sigterm_finishes_what_runs_refuses_what_comes_and_exits_with_zero(start_server):
    server = start_server(**SLOW).wait_healthy()
    url = server.url
    answer = later(lambda: httpx.post(url + "/predict", json=LONG, timeout=60))
    wait_until(lambda: running(url) == 1)

    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: httpx.get(url + "/health").status_code == 503, timeout_s=1)
    health = httpx.get(url + "/health").json()
    late = httpx.post(url + "/predict", json=LONG)

    assert health["status"] == "draining"
    assert (late.status_code, late.headers["retry-after"]) == (503, "5")
    assert answer().status_code == 200
    assert server.end() == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(url + "/health")


def test_after_the_grace_period_accepted_requests_get_their_503_and_the_exit_is_still_zero(start_server):
    server = start_server(**SLOW, SHUTDOWN_GRACE_S="0.3", MAX_BATCH_SIZE=1).wait_healthy()
    body = LONG | {"parameters": {"max_new_tokens": 4096}}
    answers = [later(lambda: httpx.post(server.url + "/predict", json=body, timeout=60)) for _ in range(3)]
    wait_until(lambda: running(server.url) == 1)
    wait_until(lambda: "serving_sequences_waiting 2" in httpx.get(server.url + "/metrics").text)

    server.process.send_signal(signal.SIGTERM)

    assert [answer().status_code for answer in answers] == [503, 503, 503]
    assert server.end() == 0


def test_sigterm_while_loading_ends_at_once_with_zero(start_server):
    server = start_server()
    url = server.url
    assert httpx.get(url + "/health").status_code == 503

    server.process.send_signal(signal.SIGTERM)

    assert server.end(timeout=10) == 0


@pytest.mark.parametrize(
    ("env", "status", "sentence"),
    [
        ({"MODEL_DIR": "nowhere"}, 1, "loading failed: MODEL_DIR 'nowhere' is not a folder"),
        ({"AIP_HEALTH_ROUTE": "/health"}, 2, "AIP_PREDICT_ROUTE is not set though its sibling is"),
    ],
)
def test_what_can_never_serve_ends_with_a_sentence_and_a_status(start_server, env, status, sentence):
    server = start_server(**env)

    assert server.end(timeout=20) == status
    assert sentence in server.log
    assert "Traceback" not in server.log


def test_a_port_in_use_ends_the_process_with_a_sentence(start_server):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = start_server(PORT=taken.getsockname()[1])

        assert server.end(timeout=20) == 1
        assert "address already in use" in server.log


def test_a_model_that_does_not_give_its_golden_answers_never_becomes_healthy(tiny, tmp_path):
    folder = tmp_path / "changed"
    shutil.copytree(tiny, folder)
    (folder / "golden.json").write_text(json.dumps([{"prompt": "Anna asks", "output": "not this"}]))
    server = ServerProcess(MODEL_DIR=folder)
    try:
        assert server.end(timeout=60) == 1
        assert "golden.json expects 'not this' and the engine gives" in server.log
    finally:
        server.close()


def test_a_model_that_computes_no_finite_numbers_never_becomes_healthy(tiny, tmp_path):
    folder = tmp_path / "broken"
    shutil.copytree(tiny, folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["decoder.final_layer_norm.weight"][0] = float("nan")
    save_file(tensors, folder / "model.safetensors")
    server = ServerProcess(MODEL_DIR=folder)
    try:
        assert server.end(timeout=60) == 1
        assert "not finite" in server.log
    finally:
        server.close()


def test_loading_counts_bytes_and_seconds_by_phase():
    life = Lifecycle()
    life.enter("reading weights", total_bytes=100)
    life.advance(30)
    life.advance(40)

    body = life.snapshot()

    assert (body["status"], body["phase"]) == ("loading", "reading weights")
    assert [phase["phase"] for phase in body["phases"]] == ["starting", "reading weights"]
    assert body["phases"][1].items() >= {"bytes": 70, "total_bytes": 100}.items()
    life.healthy()
    assert life.snapshot() == {"status": "healthy"}


def test_a_server_that_drains_does_not_become_healthy_and_one_that_failed_stays_so():
    life = Lifecycle()
    life.draining()
    life.healthy()
    assert life.snapshot()["status"] == "draining"
    life.failed("no more memory")
    life.draining()

    assert (life.snapshot()["status"], life.snapshot()["phase"]) == ("failed", "no more memory")


def test_the_log_holds_no_prompt_text(start_server):
    server = start_server().wait_healthy()
    httpx.post(server.url + "/predict", json={"instances": ["secretword"]}, timeout=60)
    httpx.post(server.url + "/predict", json={"instances": ["secretword"], "parameters": {"top_k": -1}})
    server.process.terminate()
    server.end()

    assert "POST /predict -> 200 ok" in server.log
    assert "POST /predict -> 422 invalid_request" in server.log
    assert "secretword" not in server.log
