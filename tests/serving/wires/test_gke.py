"""The wire of the GKE demo, and its page in headless Chromium."""

import json
import os
import re
from pathlib import Path

import httpx
import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
PROMPT = "Anna asks Ben to bring bread."


def infer(client, body, **query):
    return client.post("/infer", json=body, params=query)


def test_texts_get_one_prediction_each_by_the_keywords_of_config(client):
    wanted = client.post("/predict", json={"instances": [PROMPT, "Tom"], "parameters": {"max_new_tokens": 9}}).json()
    config = {"max_new_tokens": 9, "num_beams": 1, "do_sample": False, "early_stopping": False, "use_cache": True}

    assert infer(client, {"instances": [PROMPT, "Tom"], "config": config}).json() == {
        "predictions": wanted["predictions"]
    }


def test_metrics_are_milliseconds_with_five_decimals_for_each_instance(client):
    answer = infer(client, {"instances": [PROMPT, "Tom"], "config": {"max_new_tokens": 9}}, metrics="true").json()

    assert len(answer["metrics"]) == 2
    for took in answer["metrics"]:
        assert took.keys() == {"preprocess", "prediction", "postprocess", "unit"}
        assert took["unit"] == "ms"
        assert all(re.fullmatch(r"\d+\.\d{5}", took[name]) for name in ("preprocess", "prediction", "postprocess"))
        assert float(took["prediction"]) > 0
    assert "metrics" not in infer(client, {"instances": ["Tom"]}, metrics="").json()


def test_health_says_ok_in_the_demos_word_and_healthy_in_vertex_ais(client):
    assert client.get("/health").json() == {"status": "healthy", "health": "ok"}


def test_behind_vertex_ai_the_same_route_answers(serve):
    url = serve(aip_health_route="/health", aip_predict_route="/infer").url
    body = {"instances": [PROMPT], "parameters": {"max_new_tokens": 9}}

    assert len(httpx.post(url + "/infer", json=body, timeout=60).json()["predictions"]) == 1


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"{", "the body is not JSON"),
        (b'"text"', "the body should be an object"),
        (b'{"instances": "text"}', "instances should be a list"),
        (b'{"instances": []}', "instances should have at least 1 item"),
        (b'{"instances": ["a"], "config": {"num_beams": 9}}', "num_beams must be at most 8"),
        (b'{"instances": ["a"], "config": {"use_cache": false}}', "should not have use_cache other than True"),
        (b'{"instances": ["a"], "config": {"num_return_sequences": 2}}', "num_return_sequences should be less than"),
        (b'{"instances": ["a"], "config": {"max_tokens": 4}}', "did you mean max_new_tokens?"),
        (b'{"instances": ["a"], "config": {}, "parameters": {}}', "config or parameters, not both"),
    ],
)
def test_a_bad_body_is_refused_with_a_sentence(client, raw, sentence):
    reply = client.post("/infer", content=raw)

    assert reply.status_code == 400
    assert sentence in reply.json()["error"]


def test_the_page_is_whole_and_names_no_other_host(client):
    pages = [client.get(path) for path in ("/ui", "/ui/page.js", "/ui/page.css")]

    assert [page.status_code for page in pages] == [200, 200, 200]
    assert [page.headers["content-type"].partition(";")[0] for page in pages] == [
        "text/html",
        "text/javascript",
        "text/css",
    ]
    for page in pages:
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "//" not in re.sub(r"^// .*$", "", page.text, flags=re.M)
    assert client.get("/ui/other.js").status_code == 404


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}; CHROMIUM names another")
    with sync_api.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.mark.browser
def test_the_page_shows_text_metrics_and_refusals(browser, mini, golden):
    page = browser.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(mini.url + "/ui")

    page.get_by_label("Prompt").fill(golden[1]["prompt"])
    page.get_by_role("button", name="Submit").click()
    expect(page.locator("#metrics")).to_contain_text("preprocess")
    assert page.get_by_label("Response").input_value() == golden[1]["output"]

    page.get_by_label("Send raw input").check()
    page.get_by_label("Prompt").fill(json.dumps({"instances": [golden[1]["prompt"]] * 2}))
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_label("Response")).to_have_value(re.compile(r"^\["))
    assert json.loads(page.get_by_label("Response").input_value()) == [golden[1]["output"]] * 2

    page.get_by_label("Prompt").fill('{"instances": []}')
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("status")).to_contain_text("instances should have at least 1 item")

    assert {httpx.URL(url).host for url in asked if not url.startswith("data:")} == {"127.0.0.1"}
    page.close()


@pytest.mark.browser
def test_text_of_the_model_is_never_markup(browser, mini):
    page = browser.new_page()
    page.route(
        "**/infer*",
        lambda route: route.fulfill(
            json={"predictions": ["<img src=x onerror='window.hit=1'>"], "metrics": [{"a": "<b>"}]}
        ),
    )
    page.goto(mini.url + "/ui")
    page.get_by_label("Prompt").fill("x")
    page.get_by_role("button", name="Submit").click()
    expect(page.locator("#metrics")).to_contain_text("<b>")

    assert page.evaluate("window.hit") is None
    page.close()
