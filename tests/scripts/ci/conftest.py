"""A small deployment of Terraform's own resource, planned for real; and a GitHub that remembers."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scripts.ci.github import Github
from scripts.ci.jobs import terraform_version
from scripts.ci.seal import Seal, seal
from scripts.terraform_plans import plan_stacks

pytestmark = pytest.mark.skipif(shutil.which("terraform") is None, reason="no terraform")


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    out = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return out.stdout.strip()


@dataclass
class Small:
    """Stacks `first` and `second`; the second shows what the first puts out. Each holds one value."""

    checkout: Path
    values: dict[str, str] = field(default_factory=lambda: {"first": "1", "second": "2"})

    @property
    def synthesized(self) -> Path:
        return self.checkout.parent / "out"

    @property
    def folder(self) -> Path:
        return self.checkout.parent / "plans"

    def synthesize(self) -> None:
        for stack in ("first", "second"):
            folder = self.synthesized / "stacks" / stack
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "cdk.tf.json").write_text(json.dumps(self._stack(stack)))
        needs = {"first": {"dependencies": []}, "second": {"dependencies": ["first"]}}
        (self.synthesized / "manifest.json").write_text(json.dumps({"stacks": needs}))

    def plan(self) -> Seal:
        """Plans and seals what the values are now."""
        self.synthesize()
        plan_stacks(self.synthesized, self.folder, env="small")
        return self.seal()

    def seal(self) -> Seal:
        return seal(self.folder, environment="small", checkout=self.checkout, terraform=terraform_version())

    def commit(self) -> None:
        git(self.checkout, "commit", "--quiet", "--allow-empty", "-m", "another")

    def held(self, stack: str) -> str | None:
        """The value in the stack's state."""
        path = self.synthesized / f"{stack}.tfstate"
        resources = json.loads(path.read_text())["resources"] if path.exists() else []
        managed = [one["instances"][0] for one in resources if one["mode"] == "managed"]
        return str(managed[0]["attributes"]["input"]["value"]) if managed else None

    def _stack(self, stack: str) -> dict[str, Any]:
        value, document = self.values[stack], {}
        if stack == "second":
            name = "cross-stack-reference-input-first"
            config = {"path": str(self.synthesized / "first.tfstate")}
            document["data"] = {"terraform_remote_state": {name: {"backend": "local", "config": config}}}
            value += "${data.terraform_remote_state." + name + ".outputs.held}"
        backend = {"local": {"path": str(self.synthesized / f"{stack}.tfstate")}}
        return document | {
            "terraform": {"backend": backend},
            "resource": {"terraform_data": {"it": {"input": value}}},
            "output": {"held": {"value": "${terraform_data.it.output}"}},
        }


@pytest.fixture
def small(tmp_path: Path) -> Small:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    git(checkout, "init", "--quiet", "--initial-branch=main")
    (checkout / "file").write_text("1")
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "-m", "first")
    return Small(checkout)


@pytest.fixture(scope="session", name="git")
def git_fixture() -> Callable[..., str]:
    return git


@dataclass
class FakeGithub:
    """Comments and issues by id, as GitHub keeps them. dispatched: bodies of workflow dispatches."""

    url: str = ""
    documents: dict[str, dict[int, dict[str, Any]]] = field(
        default_factory=lambda: {"comments": {}, "issues": {}, "labels": {}}
    )
    dispatched: list[dict[str, Any]] = field(default_factory=list)
    heads: dict[str, str] = field(default_factory=dict)
    merged: dict[str, int] = field(default_factory=dict)
    refuse: int = 0
    tokens: set[str] = field(default_factory=set)

    def client(self) -> Github:
        return Github(self.url, "acme/flan", "t0ken")

    def add(self, kind: str, *, user: str = "github-actions[bot]", **fields: Any) -> dict[str, Any]:
        number = sum(map(len, self.documents.values())) + 1
        document = {"id": number, "number": number, "user": {"login": user}, "state": "open", **fields}
        document["html_url"] = f"https://github.example/{kind}/{number}"
        self.documents[kind][number] = document
        return document

    def answer(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        parts = path.removeprefix("/repos/acme/flan/").split("/")
        if parts[0] == "commits":
            labels = [{"name": "b"}, {"name": "a"}]
            found = {"number": self.merged.get(parts[1]), "merged_at": "2026", "labels": labels}
            return [found] if parts[1] in self.merged else []
        if parts[:2] == ["git", "ref"]:
            return {"object": {"sha": self.heads["/".join(parts[2:])]}}
        if parts[0] == "actions":
            self.dispatched.append(body)
            return None
        kind = "comments" if "comments" in parts else "issues"
        if method == "POST":
            return self.add(kind, **body)
        if method == "PATCH":
            document = self.documents[kind][int(parts[-1])]
            document.update(body)
            return document
        found = [one for one in self.documents[kind].values() if one["state"] == query.get("state", one["state"])]
        if query.get("creator"):
            found = [one for one in found if one["user"]["login"] == query["creator"]]
        start = (int(query.get("page", "1")) - 1) * int(query.get("per_page", "30"))
        return found[start : start + int(query.get("per_page", "30"))]


@pytest.fixture
def github() -> Iterator[FakeGithub]:
    fake = FakeGithub()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            path, _, rest = self.path.partition("?")
            query = dict(pair.split("=", 1) for pair in rest.split("&") if pair)
            query = {key: value.replace("%5B", "[").replace("%5D", "]") for key, value in query.items()}
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            fake.tokens.add(self.headers["Authorization"])
            code, answer = (fake.refuse, {"message": "no"}) if fake.refuse else (200, None)
            if not fake.refuse:
                answer = fake.answer(self.command, path, query, json.loads(raw or b"{}"))
            self.send_response(code if answer is not None else 204)
            self.end_headers()
            if answer is not None:
                self.wfile.write(json.dumps(answer).encode())

        do_GET = do_POST = do_PATCH = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()
