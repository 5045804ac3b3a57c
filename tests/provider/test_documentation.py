"""The provider's pages say what the provider does: they are written from it, and nothing on disk differs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provider.plugin import VertexProvider
from scripts.provider_docs import __main__ as docs
from scripts.provider_docs.errors import Message, error_classes, messages
from scripts.provider_docs.sources import modules, reached
from scripts.provider_docs.tables import NoUnit, attribute_table, type_name, unit_of
from tfplugin.resource import PluginError
from tfplugin.schema import NUMBER, STRING, Attribute, list_of, map_of

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "provider"
PROVIDER = VertexProvider()


@pytest.fixture(scope="module")
def pages():
    return docs.pages()


def test_the_pages_on_disk_are_what_the_provider_says(pages):
    assert docs.stale(pages) == [], "run `make provider-docs`"


def test_a_page_that_differs_is_missing_or_is_of_nothing_is_stale(pages, tmp_path, monkeypatch):
    monkeypatch.setattr(docs, "PAGES", tmp_path)
    (tmp_path / "resources").mkdir()
    same, other, missing, left = (tmp_path / "resources" / f"{name}.md" for name in ("same", "other", "none", "left"))
    for path in (same, other, left):
        path.write_text("text")

    assert docs.stale({same: "text", other: "another", missing: "text"}) == [left, missing, other]


def test_every_attribute_of_the_schemas_is_on_its_page(pages):
    for one in PROVIDER.resources():
        page = pages[PAGES / "resources" / f"{one.type_name.removeprefix('vertex_')}.md"]
        missing = [name for name in names(one.schema.body) if f"| `{name}` |" not in page]
        assert missing == []


def names(body):
    yield from (one.name for one in body.attributes)
    for block in body.blocks:
        yield from names(block.body)


def test_every_link_between_the_pages_leads_somewhere():
    broken = [
        f"{path.relative_to(ROOT)}: {link}"
        for path in PAGES.rglob("*.md")
        for link in re.findall(r"\]\(([^)#]+)\)", path.read_text())
        if not link.startswith("https://") and not (path.parent / link).exists()
    ]

    assert broken == []


def test_a_number_that_tells_no_unit_is_refused():
    assert unit_of(Attribute(name="shared_memory_size_mb", type=NUMBER, optional=True)) == "MB"
    with pytest.raises(NoUnit, match="number speed tells no unit"):
        attribute_table([Attribute(name="speed", type=NUMBER, optional=True)])


def test_an_attribute_tells_its_use_its_default_and_what_a_change_of_it_does():
    share = Attribute(name="percent", type=NUMBER, optional=True, computed=True, default=100, description="A|B.")
    name = Attribute(name="id", type=STRING, required=True, replace=True)

    table = attribute_table([share, name])
    assert "| `percent` | number (percent) | optional | `100` | A\\|B. |" in table
    assert "| `id` | string | required, **replaces** |  |  |" in table


def test_types_are_written_as_in_terraform():
    assert type_name(list_of(map_of(STRING))) == "list(map(string))"
    assert type_name(["object", {"a": STRING}]) == "object(a string)"


SOURCE = """
class Lost(PluginError):
    pass

def _problem(name, got, allowed):
    return Problem(f"{name} is not allowed", f"Got {got!r}; allowed is {allowed}.")

def check(config):
    for route in ("predict_route", "health_route"):
        yield _problem(route, config[route], "a path")

class Thing:
    def work(self, context, state):
        why = "it is late" if state["late"] else f"{self.reason} failed"
        context.warn(why, "\\n".join(one for one in (state["log"], "Apply again.") if one))
        raise Lost("Gone " + tail(3), detail="Plan " "again.")

    def tell(self, error, what):
        error.summary = clean(f"{what} failed: {error.message}")[:80]
        error.detail = "Look at the log."

def tail(lines):
    return f"after {lines} lines"
"""


@pytest.fixture
def package(tmp_path):
    """Writes modules of a package `kind`, and returns them read."""

    def write(**sources):
        (tmp_path / "kind").mkdir()
        for name, text in sources.items():
            (tmp_path / "kind" / f"{name}.py").write_text(text)
        return modules(tmp_path, "kind")

    return write


def test_the_errors_of_a_module_are_read_from_its_source(package):
    known = package(thing=SOURCE)

    assert messages(known["kind.thing"], error_classes(known)) == [
        Message("refused", "predict_route is not allowed", "Got *got*; allowed is a path."),
        Message("refused", "health_route is not allowed", "Got *got*; allowed is a path."),
        Message("warning", "it is late", "*log*\nApply again."),
        Message("warning", "*reason* failed", "*log*\nApply again."),
        Message("error", "Gone after *lines* lines", "Plan again."),
        Message("error", "*what* failed: *message*", "Look at the log."),
    ]


def test_a_resource_reaches_the_errors_of_what_it_imports_and_no_others(package):
    known = package(thing="from kind import near", near="from kind.far import f", far="", other="")

    assert reached("kind.thing", known) == {"kind.thing", "kind.near", "kind.far"}


def documented():
    text = "\n".join(path.read_text() for path in PAGES.rglob("*.md"))
    summaries = re.findall(r"^\| ([^|`]+) \| [^|]* \|$", text, re.MULTILINE)
    pieces = [re.split(r"\*\w+\*|…", one) for one in summaries]
    return [re.compile(".+".join(map(re.escape, one))) for one in pieces]


@pytest.mark.parametrize("one", PROVIDER.resources(), ids=lambda one: one.type_name)
def test_what_a_resource_refuses_is_documented(one):
    """Each argument wrong in turn; only what the provider then really says is looked up."""
    found = []
    for attribute in one.schema.body.attributes:
        wrong = -1 if attribute.type == NUMBER else "Not Allowed/" * 20
        config = one.schema.body.empty() | {attribute.name: wrong, "timeouts": {"create": "soon"}}
        try:
            found += [problem.summary for problem in one.validate(config)]
        except PluginError as error:
            found.append(error.summary)

    patterns = documented()
    assert "A timeout is no duration" in found
    assert [one for one in found if not any(pattern.fullmatch(one) for pattern in patterns)] == []
