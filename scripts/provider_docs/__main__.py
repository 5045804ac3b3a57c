"""`make provider-docs`: writes docs/provider/ from the provider's schemas, source and examples.

With --check it writes nothing and ends with 1 when a page on disk is another.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from provider.plugin import RELEASE, VertexProvider
from scripts.machine import ROOT
from scripts.provider_docs.causes import causes_page
from scripts.provider_docs.errors import Message, error_classes, messages
from scripts.provider_docs.pages import Subject, errors_page, index_page, subject_page
from scripts.provider_docs.sources import modules, reached

PAGES = ROOT / "docs" / "provider"
EXAMPLES = PAGES / "examples"


def pages() -> dict[Path, str]:
    """Every generated page by its path."""
    provider = VertexProvider()
    known = modules(ROOT, "provider")
    classes = error_classes(known)
    told = {name: messages(module, classes) for name, module in known.items()}
    resources = list(provider.resources())
    sources = list(provider.data_sources())
    reach = {type(one).__module__: reached(type(one).__module__, known) for one in (*resources, *sources)}
    # What most resources reach is told once, on a page of its own.
    shared = {name for name in known if sum(name in one for one in reach.values()) * 2 > len(reach)}

    def of(names: set[str]) -> list[Message]:
        return list(dict.fromkeys(one for name in sorted(names) for one in told[name]))

    subjects = []
    for kind, folder, group in (("resource", "resources", resources), ("data source", "data-sources", sources)):
        for one in group:
            mine = of(reach[type(one).__module__] - shared)
            example = EXAMPLES / folder / one.type_name / "main.tf"
            import_doc = getattr(one, "import_", one).__doc__ or ""
            subjects.append(Subject(kind, one.type_name, one.schema, import_doc, mine, example))
    found = {PAGES / one.path: subject_page(one, root=ROOT) for one in subjects}
    index = index_page(
        provider.schema, subjects, told["provider.plugin"], source=RELEASE.source, version=RELEASE.version
    )
    shared_pages = {"index.md": index, "errors.md": errors_page(of(shared)), "failures.md": causes_page()}
    return {**{PAGES / name: text for name, text in shared_pages.items()}, **found}


def stale(expected: dict[Path, str]) -> list[Path]:
    """Pages that are missing, differ, or are of nothing that the provider has any more."""
    differ = [path for path, text in expected.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    on_disk = [path for folder in ("resources", "data-sources") for path in (PAGES / folder).glob("*.md")]
    return sorted([*differ, *(path for path in on_disk if path not in expected)])


def main() -> int:
    parser = argparse.ArgumentParser(prog="make provider-docs", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when a page is not as it would be written"
    )
    arguments = parser.parse_args()
    expected = pages()
    changed = stale(expected)
    for path in changed:
        print(path.relative_to(ROOT))
        if not arguments.check:
            if path in expected:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(expected[path], encoding="utf-8")
            else:
                path.unlink()
    if changed and arguments.check:
        print("These pages are not what the provider says. Run `make provider-docs`.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
