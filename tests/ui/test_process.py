"""`python -m ui` as a container runs it: its start, its routes, its end."""

from __future__ import annotations

import re
import signal
import socket
import time

import httpx
import pytest

from tests.ui.conftest import ROOT, TOKEN, Answer, Page, StartPage, predictions


def ask(page: Page) -> str:
    """One question through gradio's own queue, as the browser asks it; returns the raw event stream."""
    config = httpx.get(f"{page.url}/config").json()
    ask_id = next(c["id"] for c in config["components"] if c["props"].get("elem_id") == "ask")
    (fn,) = [d for d in config["dependencies"] if d["targets"] == [[ask_id, "click"]]]
    data = ["Who is Anna?", 16, 0, 0, 1, 1, "", ""]
    body = {"data": data, "fn_index": fn["id"], "session_hash": "s", "trigger_id": ask_id}
    with httpx.Client(base_url=page.url, timeout=30) as client:
        client.post("/gradio_api/queue/join", json=body).raise_for_status()
        lines = ""
        with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": "s"}) as stream:
            for line in stream.iter_lines():
                lines += line
                if "process_completed" in line:
                    break
    return lines


def test_asks_with_the_service_accounts_token_from_the_metadata_server(shared_page, vertex):
    vertex.reset(predictions("from the queue"))

    assert "from the queue" in ask(shared_page)
    assert vertex.authorizations == [f"Bearer {TOKEN}"]


def test_a_revoked_token_is_renewed_at_the_metadata_server(shared_page, vertex):
    vertex.reset(Answer(401, {}), predictions("after all"))
    vertex.tokens.extend(["renewed"])
    vertex.tokens.popleft()

    assert "after all" in ask(shared_page)
    assert vertex.authorizations[-1] == "Bearer renewed"


def test_the_probe_is_answered_on_the_same_port(shared_page):
    answer = httpx.get(f"{shared_page.url}/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_no_answer_lets_the_page_reach_another_host(shared_page):
    for path in ("/", "/healthz", "/config", "/nothing-here"):
        headers = httpx.get(shared_page.url + path).headers

        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"


def test_files_cannot_be_sent_to_it(shared_page):
    answer = httpx.post(f"{shared_page.url}/gradio_api/upload", files={"files": b"x" * 100})

    assert answer.status_code == 404


def test_behind_a_front_end_the_page_calls_back_over_https(shared_page):
    """Cloud Run ends TLS before the container: a page that then calls http:// is blocked by the browser."""
    headers = {"Host": "ui-abc-ez.a.run.app", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}

    html = httpx.get(shared_page.url, headers=headers).text

    assert "http://ui-abc" not in html
    assert re.search(r'"root":\s*"(https://ui-abc-ez\.a\.run\.app[^"]*|/?)"', html)


def test_the_port_is_open_before_the_page_is_ready(start_page: StartPage):
    page = start_page(is_awaited=False)
    deadline = time.monotonic() + 20
    while "starting the page on" not in page.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)

    socket.create_connection(("127.0.0.1", int(page.url.rpartition(":")[2])), timeout=1).close()
    assert "the page is ready" not in page.log.read_text()

    # and it leaves at once when it is told to during its start
    page.process.send_signal(signal.SIGTERM)
    assert page.process.wait(timeout=20) == 0


def test_the_process_calls_nobody_when_it_starts_and_shows_the_page(start_page):
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(0.5)
        url = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        page = start_page(HTTPS_PROXY=url, HTTP_PROXY=url, NO_PROXY="127.0.0.1")
        httpx.get(page.url).raise_for_status()

        with pytest.raises(TimeoutError):
            proxy.accept()

        # the trap works: whoever calls out is seen
        with pytest.raises(httpx.HTTPError):
            httpx.get("https://api.gradio.app", proxy=url, timeout=0.1)
        proxy.accept()[0].close()


def test_sigterm_ends_it_with_0_even_while_it_waits_for_an_answer(start_page, vertex):
    vertex.reset(Answer(200, {"predictions": ["never"]}, delay_s=30))
    page = start_page()
    with httpx.Client(base_url=page.url) as client, client.stream("GET", "/gradio_api/heartbeat/s") as stream:
        next(stream.iter_lines())

        page.process.send_signal(signal.SIGTERM)

        assert page.process.wait(timeout=20) == 0
    assert "Traceback" not in page.log.read_text()


@pytest.mark.parametrize(
    ("environment", "status", "said"),
    [
        ({"PREDICT_URL": "nowhere"}, 2, "PREDICT_URL must be a URL that ends in :predict"),
        ({"PORT": "taken"}, 1, "PORT names another"),
    ],
)
def test_what_keeps_it_from_starting_is_said_in_a_line(start_page, shared_page, environment, status, said):
    if environment.get("PORT"):
        environment = {"PORT": shared_page.url.rpartition(":")[2]}
    page = start_page(is_awaited=False, **environment)

    assert page.process.wait(timeout=20) == status
    assert said in page.log.read_text()
    assert "Traceback" not in page.log.read_text()


def test_the_image_is_pinned_and_runs_as_nobody_in_particular():
    lines = (ROOT / "ui" / "Dockerfile").read_text().splitlines()

    assert any(re.fullmatch(r"ARG PYTHON_IMAGE=python:3\.11\.\d+-slim-bookworm", line) for line in lines)
    assert all(line.split()[1] == "${PYTHON_IMAGE}" for line in lines if line.startswith("FROM"))
    assert {"USER 10001", "EXPOSE 7860", 'CMD ["python", "-m", "ui"]', "WORKDIR /srv"} <= set(lines)


def test_the_images_lock_agrees_with_the_projects():
    def pins(path: str) -> set[str]:
        return set(re.findall(r"^([a-z0-9-]+==\S+)", (ROOT / path).read_text(), re.M))

    assert pins("ui/requirements.lock") <= pins("requirements.lock")
    assert {"gradio==6.31.0"} <= pins("ui/requirements.lock")
