"""What the README says is there."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def test_every_make_target_of_the_readme_is_in_the_makefile_with_a_line_of_help():
    named = set(re.findall(r"`?make ([a-z][a-z-]*)", README)) - {"alone"}

    assert len(named) >= 8
    assert {target for target in named if not re.search(rf"^{target}:.*## ", MAKEFILE, re.M)} == set()


def test_make_alone_lists_every_target_with_a_line_each():
    outside = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    shown = subprocess.run(["make"], cwd=ROOT, env=outside, capture_output=True, text=True, check=True).stdout

    targets = re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.M)
    assert len(shown.splitlines()) == len(targets)
    assert all(f"make {target} " in shown for target in targets)


@pytest.mark.parametrize("name", re.findall(r"^\| `([a-z]+)/` \|", README, re.M))
def test_every_folder_of_the_tree_is_there(name):
    assert (ROOT / name).is_dir()


@pytest.mark.parametrize(
    ("page", "link"),
    [
        (page, link)
        for page in (
            "README.md",
            "CONTRIBUTING.md",
            *(str(one.relative_to(ROOT)) for one in (ROOT / "docs").rglob("*.md")),
        )
        for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", (ROOT / page).read_text())
    ],
)
def test_every_link_to_a_file_leads_somewhere(page, link):
    assert ((ROOT / page).parent / link).exists()
