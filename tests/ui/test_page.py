"""The page in headless Chromium, in front of an endpoint on loopback."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.ui.conftest import ENDPOINT, ROOT, Answer, FakeVertex, predictions
from tests.ui.conftest import Page as RunningPage
from ui import examples, prose

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}; CHROMIUM names another"),
]

WAIT_MS = 8_000
ANSWER = "Anna left a bracelet at the market. Uma will bring it on Saturday at 15:30."


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One for all tests, so that gradio's scripts come from the browser's cache; a page keeps nothing else."""
    shared = browser.new_context(viewport={"width": 1280, "height": 900})
    yield shared
    shared.close()


@pytest.fixture
def requested() -> list[str]:
    """The URL of every request that the page made, or that its security policy kept it from making."""
    return []


@pytest.fixture
def page(context: BrowserContext, shared_page: RunningPage, vertex: FakeVertex, requested: list[str]) -> Iterator[Page]:
    tab = context.new_page()
    tab.on("request", lambda request: requested.append(request.url))
    tab.on("console", lambda said: requested.append(said.text) if "Content Security Policy" in said.text else None)
    tab.goto(shared_page.url)
    expect(tab.locator("#ask")).to_be_enabled(timeout=WAIT_MS)
    yield tab
    tab.close()


def answer_box(page: Page) -> Any:
    return page.get_by_label("Answer", exact=True)


def ask(page: Page, prompt: str) -> None:
    page.get_by_label("Prompt").fill(prompt)
    page.get_by_role("button", name="Ask the model").click()


def alert(page: Page) -> Any:
    return page.locator("#status [role=alert]")


def test_shows_what_answers_and_what_it_costs(page):
    expect(page).to_have_title(prose.TITLE)
    facts = page.locator("#facts")
    expect(facts).to_contain_text("dialogue-t5-mini")
    expect(facts).to_contain_text(ENDPOINT)
    expect(facts).to_contain_text("USD 4.31 per hour in europe-west4 (list price)")
    expect(page.locator("#instructions")).to_contain_text("USD 4.31 per hour, about USD 103 per day")


def test_an_example_clicked_and_asked_is_answered(page, vertex):
    vertex.reset(predictions(ANSWER))
    label, prompt = examples.DIALOGUES[0]

    page.get_by_text(label, exact=True).click()
    expect(page.get_by_label("Prompt")).to_have_value(prompt, timeout=WAIT_MS)
    page.get_by_role("button", name="Ask the model").click()

    expect(answer_box(page)).to_have_value(ANSWER, timeout=WAIT_MS)
    expect(page.locator("#status")).to_contain_text("Answered in")
    assert vertex.requests == [{"instances": [prompt], "parameters": {"max_new_tokens": 128, "temperature": 0}}]


def test_every_example_is_offered_and_fills_the_prompt_with_its_whole_text(page):
    for label, prompt in (*examples.DIALOGUES, *examples.FLAN):
        page.get_by_text(label, exact=True).click()
        expect(page.get_by_label("Prompt")).to_have_value(prompt, timeout=WAIT_MS)


def test_ctrl_enter_in_the_prompt_asks(page, vertex):
    page.get_by_label("Prompt").fill("Who is Anna?")
    page.get_by_label("Prompt").press("Control+Enter")

    expect(answer_box(page)).to_have_value("the answer", timeout=WAIT_MS)
    assert len(vertex.requests) == 1


def test_what_is_set_is_what_is_sent(page, vertex):
    page.get_by_text("How to generate").click()
    for name, value in {
        "max_new_tokens": "40",
        "temperature": "0.7",
        "top_k": "50",
        "top_p": "0.9",
        "repetition_penalty": "1.2",
    }.items():
        box = page.get_by_label(f"number input for {name}")
        box.fill(value)
        box.press("Tab")
    page.get_by_label("seed").fill("7")
    page.get_by_label("stop").fill("END\nSTOP")
    ask(page, "Who is Anna?")

    expect(answer_box(page)).to_have_value("the answer", timeout=WAIT_MS)
    assert vertex.requests[0]["parameters"] == {
        "max_new_tokens": 40,
        "temperature": 0.7,
        "top_k": 50,
        "top_p": 0.9,
        "repetition_penalty": 1.2,
        "seed": 7,
        "stop": ["END", "STOP"],
    }


def test_an_error_is_told_in_words_and_the_button_comes_back(page, vertex):
    said = "max_new_tokens must be at most 64, got 128"
    vertex.reset(Answer(422, {"error": {"code": 422, "reason": "invalid_request", "message": said}}))

    ask(page, "Who is Anna?")

    expect(alert(page)).to_contain_text(f"It says: {said}", timeout=WAIT_MS)
    expect(page.locator("#ask")).to_be_enabled()
    expect(page.locator("body")).not_to_contain_text("Traceback")


def test_a_wrong_setting_is_told_in_words_and_asks_nobody(page, vertex):
    page.get_by_text("How to generate").click()
    expect(page.get_by_label("seed")).to_have_value("")
    page.get_by_label("seed").fill("seven")

    ask(page, "Who is Anna?")

    expect(alert(page)).to_contain_text("seed must be a whole number", timeout=WAIT_MS)
    expect(page.locator("#ask")).to_be_enabled()
    assert vertex.requests == []


def test_an_empty_prompt_asks_nobody(page, vertex):
    ask(page, "  ")

    expect(alert(page)).to_contain_text("Write a prompt first", timeout=WAIT_MS)
    assert vertex.requests == []


PAYLOADS = [
    "<script>window.hacked = 1</script>",
    '<img src=x onerror="window.hacked = 1">',
    "${window.hacked = 1} {{constructor.constructor('window.hacked = 1')()}} {{#each}} `${window.hacked=1}`",
    "[x](javascript:window.hacked=1) </textarea><svg onload=window.hacked=1>",
]


def test_markup_in_an_answer_stays_text(page, vertex):
    for payload in PAYLOADS:
        vertex.reset(predictions(payload))

        ask(page, payload)

        expect(answer_box(page)).to_have_value(payload, timeout=WAIT_MS)
    assert page.evaluate("window.hacked") is None


def test_markup_in_an_error_stays_text(page, vertex):
    for payload in PAYLOADS:
        vertex.reset(Answer(422, {"error": {"message": payload}}))

        ask(page, "Who is Anna?")

        expect(alert(page)).to_contain_text(payload, timeout=WAIT_MS)
    assert page.evaluate("window.hacked") is None


def test_while_it_waits_the_button_is_off_and_the_time_is_told(page, vertex):
    vertex.reset(Answer(200, {"predictions": ["late"]}, delay_s=2.5))

    ask(page, "Who is Anna?")

    expect(page.locator("#ask")).to_be_disabled(timeout=WAIT_MS)
    expect(page.locator("#status")).to_contain_text(re.compile(r"Asking the model… [12] s"), timeout=WAIT_MS)
    expect(answer_box(page)).to_have_value("late", timeout=WAIT_MS)
    expect(page.locator("#ask")).to_be_enabled()


def test_cancel_ends_the_request_at_the_endpoint_too(page, vertex):
    vertex.reset(Answer(200, {"predictions": ["never"]}, delay_s=15))
    ask(page, "Who is Anna?")
    expect(page.locator("#cancel")).to_be_enabled(timeout=WAIT_MS)

    page.locator("#cancel").click()

    expect(page.locator("#status")).to_contain_text("Cancelled", timeout=WAIT_MS)
    expect(page.locator("#ask")).to_be_enabled()
    assert eventually(lambda: vertex.num_aborted == 1)
    vertex.reset(predictions("another"))
    ask(page, "Who is Ben?")
    expect(answer_box(page)).to_have_value("another", timeout=WAIT_MS)


def test_a_closed_tab_ends_the_request_at_the_endpoint_too(page, vertex):
    vertex.reset(Answer(200, {"predictions": ["never"]}, delay_s=15))
    ask(page, "Who is Anna?")
    expect(page.locator("#cancel")).to_be_enabled(timeout=WAIT_MS)

    page.close()

    assert eventually(lambda: vertex.num_aborted == 1, timeout_s=12)


def test_the_page_asks_nothing_of_anyone_but_its_own_server(page, shared_page, vertex, requested):
    ask(page, "Who is Anna?")
    expect(answer_box(page)).to_have_value("the answer", timeout=WAIT_MS)

    assert len(requested) > 10
    assert [url for url in requested if not url.startswith((shared_page.url, "data:", "blob:"))] == []


def test_controls_have_names_that_a_screen_reader_can_say(page):
    page.get_by_text("How to generate").click()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("textarea, input, button")]
            .filter((e) => e.offsetParent && !e.labels?.length && !e.ariaLabel && !e.title && !e.innerText.trim())
            .map((e) => e.outerHTML.slice(0, 200))"""
    )

    assert nameless == []


def test_fits_a_phone_without_scrolling_sideways(page):
    page.set_viewport_size({"width": 375, "height": 800})

    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert page.locator("#ask").bounding_box()["height"] >= 36


SCREENSHOT_OF = os.environ.get("UPDATE_SCREENSHOT", "")


@pytest.mark.skipif(
    not SCREENSHOT_OF,
    reason="UPDATE_SCREENSHOT=1 takes docs/ui.png anew; UPDATE_SCREENSHOT=http://… takes it of that page",
)
def test_an_answered_page_for_the_documentation(page, vertex):
    vertex.reset(Answer(200, {"predictions": [ANSWER]}, delay_s=0.3))
    if SCREENSHOT_OF.startswith("http"):
        page.goto(SCREENSHOT_OF)
    label, prompt = examples.DIALOGUES[0]
    page.get_by_text(label, exact=True).click()
    expect(page.get_by_label("Prompt")).to_have_value(prompt, timeout=WAIT_MS)
    page.get_by_role("button", name="Ask the model").click()
    expect(page.locator("#status")).to_contain_text("Answered in", timeout=WAIT_MS)

    page.screenshot(path=ROOT / "docs" / "ui.png")


def eventually(condition: Any, *, timeout_s: float = 8) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(condition())
