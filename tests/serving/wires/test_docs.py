"""Every curl line of docs/serving.md and docs/wires/ is run against the embedded model, and answers what is shown."""

import json
import re
import subprocess

import httpx
import pytest

from serving.access.keys import digest_of
from serving.config import describe
from tests.serving.conftest import ROOT

SERVER_PAGE = ROOT / "docs" / "serving.md"
PAGES = [SERVER_PAGE, *sorted((ROOT / "docs" / "wires").glob("*.md"))]
KEY = "sk-of-the-page"
ANY = "…"


def examples():
    """(page, command, kind of the answer, answer) of each example."""
    found = []
    for page in PAGES:
        blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), flags=re.M | re.S)
        for number, (kind, text) in enumerate(blocks):
            if kind == "sh":
                found.append(pytest.param(page.name, text, *blocks[number + 1], id=f"{page.stem}-{number}"))
    return found


def same(got, wanted):
    """Whether an answer is the one that is shown, where "…" stands for anything."""
    if wanted == ANY:
        return True
    if isinstance(wanted, dict) and isinstance(got, dict):
        return got.keys() == wanted.keys() and all(same(got[name], wanted[name]) for name in wanted)
    if isinstance(wanted, list) and isinstance(got, list):
        return len(got) == len(wanted) and all(same(*pair) for pair in zip(got, wanted, strict=True))
    return got == wanted


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """The same model behind a server that asks for keys."""
    from tests.serving.conftest import ServerProcess

    path = tmp_path_factory.mktemp("secret") / "keys.toml"
    path.write_text(f'[reader]\nsha256 = "{digest_of(KEY)}"\n')
    server = ServerProcess(MODEL_DIR=ROOT / "models" / "dialogue-t5-mini", KEYS_FILE=path).wait_healthy()
    yield server
    server.close()


@pytest.mark.parametrize(("page", "command", "kind", "answer"), examples())
def test_an_examples_answer_is_what_the_page_shows(request, page, command, kind, answer):
    server = request.getfixturevalue("guarded" if page == "access.md" else "mini")
    line = command.replace("localhost:7080", server.url.removeprefix("http://"))
    done = subprocess.run(
        ["bash", "-c", line], env={"PATH": "/usr/bin:/bin", "KEY": KEY}, capture_output=True, check=True
    )
    told = done.stdout.decode()

    if kind == "json":
        assert same(json.loads(told), json.loads(answer)), told
    else:
        assert kind == "text"
        pattern = ".*".join(re.escape(part) for part in answer.strip().split(ANY))
        assert re.fullmatch(pattern, told.strip(), flags=re.S), told


def test_each_wire_has_a_page_with_examples_and_a_row_of_clients():
    wires = {"vertex", "openai", "sagemaker", "torchserve", "kserve", "gke", "access"}
    pages = {parameters.id.rpartition("-")[0] for parameters in examples()}

    assert wires <= pages
    for page in wires:
        assert f"({page}.md)" in (ROOT / "docs" / "wires" / "README.md").read_text()


def test_the_table_of_clients_names_the_versions_that_are_pinned():
    table = (ROOT / "docs" / "wires" / "clients.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z0-9-]+)`(?: \(http\))? \| ([0-9.]+) \|", table, flags=re.M))
    files = [*(ROOT / "tests" / "clients" / "requirements").glob("*.txt"), ROOT / "requirements.lock"]
    found = [re.findall(r"^([a-z0-9-]+)(?:\[\w+\])?==([0-9.]+)", file.read_text(), re.M) for file in files]
    pins = {name: version for pairs in found for name, version in pairs}

    assert len(rows) >= 11
    assert {name: pins.get(name) for name in rows} == rows


def test_the_servers_page_names_settings_that_there_are():
    named = set(re.findall(r"`([A-Z]+_[A-Z_]+|QUANTIZE|DTYPE)(?:=\w+)?`", SERVER_PAGE.read_text()))
    printed = set(re.findall(r"^([A-Z_]+)(?: or ([A-Z_]+))? \(default", describe(), flags=re.M))

    assert len(named) >= 10
    assert named <= {name for names in printed for name in names}


def test_the_servers_page_has_every_metric_and_what_the_server_says_of_it(mini):
    rows = re.findall(r"^\| `(serving_\w+)` \| (.+) \|$", SERVER_PAGE.read_text(), flags=re.M)
    told = re.findall(r"^# HELP (serving_\w+) (.+)$", httpx.get(mini.url + "/metrics").text, flags=re.M)

    assert sorted(rows) == sorted((name, text[0].lower() + text[1:]) for name, text in told)
