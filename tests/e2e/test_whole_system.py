"""The newcomer's path and the operator's, with real Terraform, cdktf and Google's own client.

The tests share one system and run in the order of the file: up, predict, no change, one change, down.
"""

import json
import re
import shutil
import sys

import httpx
import pytest
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform_v1
from google.protobuf import json_format, struct_pb2
from playwright.sync_api import expect, sync_playwright

from scripts.local_cloud import is_alive
from ui import examples

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]

CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
DIALOGUE = "summarize: Anna: Can you buy milk on the way home?\nTom: Sure, I will be there at six."


def deployed_models(system):
    endpoint = system.output("endpoint", "endpoint_name")
    return httpx.get(f"{system.url}/v1/{endpoint}").json().get("deployedModels", [])


def test_up_prints_urls_a_prediction_and_the_price(system):
    for label in ("UI ", "Predict ", "API docs ", "It answered: ", "per hour", "per day", "per month"):
        assert label in system.up_output


def test_the_printed_curl_line_works_when_pasted(system):
    lines = system.up_output.splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip().startswith("curl "))

    answer = json.loads(system.run("bash", "-c", "\n".join(lines[start : start + 2])))

    assert len(answer["predictions"]) == 1
    assert isinstance(answer["predictions"][0], str)
    assert answer["predictions"][0]


def test_the_api_docs_url_opens(system):
    url = re.search(r"API docs\s+(\S+)", system.up_output).group(1)

    assert httpx.get(url).status_code == 200


def test_googles_own_client_gets_a_prediction_through_the_endpoint(system):
    endpoint = system.output("endpoint", "endpoint_name")
    domain = httpx.get(f"{system.url}/v1/{endpoint}").json()["dedicatedEndpointDns"]
    client = aiplatform_v1.PredictionServiceClient(
        credentials=AnonymousCredentials(),
        transport="rest",
        client_options=ClientOptions(api_endpoint=f"http://{domain}"),
    )

    instance = json_format.ParseDict(DIALOGUE, struct_pb2.Value())
    answer = client.predict(endpoint=endpoint, instances=[instance])

    assert len(answer.predictions) == 1
    assert isinstance(answer.predictions[0], str)
    assert answer.predictions[0]
    assert answer.deployed_model_id == deployed_models(system)[0]["id"]


def test_the_page_answers_on_its_own_url(system):
    assert "Flan-T5" in httpx.get(system.output("ui", "ui_url"), follow_redirects=True).text


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="Debian's chromium is not installed")
def test_an_example_clicked_on_the_page_is_answered_by_the_endpoint(system):
    label, prompt = examples.DIALOGUES[0]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(system.output("ui", "ui_url"))
        page.get_by_text(label, exact=True).click()
        expect(page.get_by_label("Prompt")).to_have_value(prompt, timeout=60_000)
        page.get_by_role("button", name="Ask the model").click()
        expect(page.locator("#status")).to_contain_text("Answered in", timeout=60_000)
        answer = page.get_by_label("Answer", exact=True).input_value()
        browser.close()

    predicted = httpx.post(system.output("endpoint", "predict_url"), json={"instances": [prompt]}).json()
    assert answer == predicted["predictions"][0]


@pytest.mark.parametrize("stack", ["registry", "model", "endpoint", "ui"])
def test_diff_of_an_unchanged_world_says_no_changes(system, stack):
    assert "No changes." in system.run("cdktf", "diff", stack)


def test_a_second_up_changes_nothing(system):
    before = [(one["id"], one["createTime"]) for one in deployed_models(system)]

    text = system.run(sys.executable, "-m", "scripts.up")

    assert len(re.findall(r"(registry|model|endpoint|ui)\s.*\s(no changes|0 added, 0 changed, 0 destroyed)", text)) == 4
    assert [(one["id"], one["createTime"]) for one in deployed_models(system)] == before


def test_one_changed_serving_line_builds_versions_and_redeploys(system):
    (before,) = deployed_models(system)
    old_image = system.output("model", "image_uri")
    with (system.folder / "serving" / "__main__.py").open("a") as source:
        source.write("\n# one changed line\n")

    plan = system.run("cdktf", "diff", "model")
    assert re.search(r"vertex_image_build\.\S+ .*must be replaced", plan)
    assert re.search(r"vertex_model\.\S+ .*will be updated in-place", plan)
    assert "Plan: 1 to add, 1 to change, 1 to destroy." in plan
    assert "No changes." in system.run("cdktf", "diff", "registry")

    system.run("cdktf", "deploy", "*", "--auto-approve")
    (after,) = deployed_models(system)

    assert system.output("model", "image_uri") != old_image
    assert system.output("model", "model_version") == "2"
    assert after["modelVersionId"] == "2"
    assert after["id"] != before["id"]
    predicted = httpx.post(system.output("endpoint", "predict_url"), json={"instances": [DIALOGUE]}).json()
    assert predicted["deployedModelId"] == after["id"]


def test_down_leaves_no_resource_no_process_and_no_open_port(system):
    status = httpx.get(f"{system.url}/localcloud/status").json()
    pids = [status["pid"], *(process["pid"] for process in status["processes"])]
    assert len(pids) >= 3

    text = system.run(sys.executable, "-m", "scripts.down")

    assert "All is down" in text
    assert [pid for pid in pids if is_alive(pid)] == []
    for state in (system.folder / ".flanstack" / "state" / "local").glob("*.tfstate"):
        assert json.loads(state.read_text())["resources"] == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{system.url}/localcloud/status")


def test_down_with_nothing_up_says_so(system):
    assert "Nothing is up" in system.run(sys.executable, "-m", "scripts.down")
