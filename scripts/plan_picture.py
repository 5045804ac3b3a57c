"""A review's Markdown as a picture, about as a pull request shows it, with headless Chromium.

`python -m scripts.plan_picture REVIEW.md PICTURE.png` made docs/plan-review.png of a golden file of the tests.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from markdown_it import MarkdownIt
from playwright.sync_api import sync_playwright

WIDTH = 1180
STYLE = """
body { font: 15px/1.5 "DejaVu Sans", sans-serif; color: #1f2328; margin: 0; padding: 24px 32px; }
h2 { font-size: 21px; border-bottom: 1px solid #d1d9e0; padding-bottom: 6px; margin-top: 0; }
h3 { font-size: 17px; margin: 22px 0 10px; }
table { border-collapse: collapse; font-size: 13px; }
td, th { border: 1px solid #d1d9e0; padding: 5px 11px; text-align: left; vertical-align: top; }
tr:nth-child(2n) { background: #f6f8fa; }
code { font: 85% "DejaVu Sans Mono", monospace; background: #eff1f3; border-radius: 5px; padding: 2px 5px; }
summary { margin: 8px 0; }
"""


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 1
    source, picture = Path(sys.argv[1]), Path(sys.argv[2])
    body = MarkdownIt("commonmark", {"html": True}).enable("table").render(source.read_text())
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        page = browser.new_page(viewport={"width": WIDTH, "height": 600})
        page.set_content(f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{body}")
        page.screenshot(path=picture, full_page=True)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
