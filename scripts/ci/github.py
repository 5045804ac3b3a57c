"""GitHub's REST API as far as CI needs it: one comment that is kept up to date, one issue, one more run.

A comment or issue of ours is known by a marker in its text, and by who wrote it: anybody can write a marker.
Knows nothing of plans.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

VERSION = "2022-11-28"
TIMEOUT_S = 20.0
MAX_BODY = 65_536
NUM_PER_PAGE = 100
MAX_PAGES = 50


class GithubError(Exception):
    """GitHub refused, or did not answer; the message has its words."""


@dataclass(frozen=True)
class Merged:
    """A pull request that was merged."""

    number: int
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Github:
    """One repository, as GitHub's own variables name it. token: of the workflow; author: who writes with it."""

    api_url: str
    repository: str
    token: str
    author: str = "github-actions[bot]"

    def upsert_comment(self, number: int, marker: str, body: str) -> str:
        """Writes the one comment with this marker; returns its address."""
        text = _marked(marker, body)
        found = self.comment(number, marker)
        if found is not None:
            return str(self._send("PATCH", f"issues/comments/{found['id']}", {"body": text})["html_url"])
        return str(self._send("POST", f"issues/{number}/comments", {"body": text})["html_url"])

    def comment(self, number: int, marker: str) -> dict[str, Any] | None:
        """Ours with this marker, if it was written."""
        comments = self._pages(f"issues/{number}/comments")
        return next((one for one in comments if self._is_ours(one, marker)), None)

    def merged_as(self, commit: str) -> Merged | None:
        """The pull request that brought this commit, if one did."""
        found = self._ask("GET", f"commits/{commit}/pulls").json()
        merged = next((one for one in found if one.get("merged_at")), None)
        if merged is None:
            return None
        return Merged(int(merged["number"]), tuple(sorted(str(one["name"]) for one in merged.get("labels", []))))

    def upsert_issue(self, marker: str, title: str, body: str) -> str:
        """Opens the one issue with this marker, or brings it up to date; returns its address."""
        text = _marked(marker, body)
        found = self.open_issue(marker)
        if found is None:
            return str(self._send("POST", "issues", {"title": title, "body": text})["html_url"])
        return str(self._send("PATCH", f"issues/{found['number']}", {"title": title, "body": text})["html_url"])

    def close_issue(self, marker: str, reason: str) -> str:
        """Closes the issue with this marker, if one is open; returns its address, or an empty text."""
        found = self.open_issue(marker)
        if found is None:
            return ""
        self._send("POST", f"issues/{found['number']}/comments", {"body": reason})
        self._send("PATCH", f"issues/{found['number']}", {"state": "closed", "state_reason": "completed"})
        return str(found["html_url"])

    def open_issue(self, marker: str) -> dict[str, Any] | None:
        issues = self._pages("issues", state="open", creator=self.author)
        return next((one for one in issues if self._is_ours(one, marker) and "pull_request" not in one), None)

    def newest_at(self, ref: str) -> str:
        """The commit that a branch is at. ref: `refs/heads/main`."""
        return str(self._ask("GET", f"git/ref/{ref.removeprefix('refs/')}").json()["object"]["sha"])

    def dispatch(self, workflow: str, ref: str, inputs: dict[str, str]) -> None:
        """Starts a workflow once more."""
        self._send("POST", f"actions/workflows/{workflow}/dispatches", {"ref": ref, "inputs": inputs})

    def _is_ours(self, document: dict[str, Any], marker: str) -> bool:
        wrote = (document.get("user") or {}).get("login")
        return wrote == self.author and str(document.get("body") or "").startswith(_comment(marker))

    def _pages(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        for page in range(1, MAX_PAGES + 1):
            found = self._ask("GET", path, params={**query, "per_page": str(NUM_PER_PAGE), "page": str(page)}).json()
            yield from found
            if len(found) < NUM_PER_PAGE:
                return

    def _send(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._ask(method, path, json=body)
        document: dict[str, Any] = answer.json() if answer.content else {}
        return document

    def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": VERSION,
        }
        url = f"{self.api_url.rstrip('/')}/repos/{self.repository}/{path}"
        try:
            answer = httpx.request(method, url, headers=headers, timeout=TIMEOUT_S, **request)
        except httpx.HTTPError as error:
            raise GithubError(f"{method} {url}: {error or type(error).__name__}") from error
        if answer.status_code >= 400:
            raise GithubError(f"{method} {url} answered {answer.status_code}: {answer.text[:300]}")
        return answer


def _comment(marker: str) -> str:
    return f"<!-- {marker} -->"


def _marked(marker: str, body: str) -> str:
    """Within GitHub's limit; the review is written to fit, so this cuts only what is added to it."""
    text = f"{_comment(marker)}\n{body}"
    cut = "\n\n(cut: the whole is in the run's artefact)"
    return text if len(text) <= MAX_BODY else text[: MAX_BODY - len(cut)] + cut
