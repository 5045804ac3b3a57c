"""A Hugging Face hub of this machine: as much of its HTTP interface as the libraries ask for, over folders of files.

Repositories are public and have one revision. Source: huggingface_hub's own client, and what it was seen to ask for.
"""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
RESOLVE = re.compile(r"^/(?:(datasets)/)?([\w.-]+(?:/[\w.-]+)?)/resolve/[^/]+/(.+)$")
API = re.compile(r"^/api/(datasets|models)/([\w.-]+/[\w.-]+)(?:/(revision|tree|paths-info)/[^/]+(?:/(.+))?)?$")


class Hub:
    """repositories: folder by `models/ID` or `datasets/ID`. asked: paths, in the order of the requests."""

    def __init__(self, repositories):
        self.repositories, self.asked = repositories, []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.hub = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path, body):
        """Status, and what is told: bytes of a file, JSON of the interface, or the hub's word for what is missing."""
        self.asked.append(path)
        if file := RESOLVE.match(path):
            folder, name = self.repositories.get(f"{file[1] or 'models'}/{file[2]}"), file[3]
            if folder is None:
                return 404, "RepoNotFound"
            return (200, (folder / name).read_bytes()) if (folder / name).is_file() else (404, "EntryNotFound")
        if api := API.match(path):
            folder = self.repositories.get(f"{api[1]}/{api[2]}")
            if folder is None:
                return 404, "RepoNotFound"
            return 200, json.dumps(described(folder, api[2], api[3], api[4] or "", body)).encode()
        return 404, "EntryNotFound"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        status, told = self.server.hub.answer(unquote(urlsplit(self.path).path), body)
        content = told if status == 200 else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if "/api/" in self.path else "application/octet-stream")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        if status != 200:
            self.send_header("X-Error-Code", told)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_HEAD = do_POST = do_GET  # noqa: N815 (the standard library's names)

    def log_message(self, *arguments):
        pass


def described(folder, name, what, below, body):
    """A repository's files, those below a folder or with given paths, or what it is."""
    files = [entry(folder, path) for path in sorted(folder.rglob("*")) if path.is_file()]
    if what == "tree":
        return [one for one in files if not below or one["path"].startswith(f"{below}/")]
    if what == "paths-info":
        wanted = json.loads(body)["paths"] if body.startswith(b"{") else parse_qs(body.decode())["paths"]
        return [one for one in files if one["path"] in wanted]
    return {"id": name, "sha": COMMIT, "private": False, "siblings": [{"rfilename": one["path"]} for one in files]}


def entry(folder, path):
    oid = hashlib.sha1(path.read_bytes()).hexdigest()
    return {"type": "file", "path": str(path.relative_to(folder)), "size": path.stat().st_size, "oid": oid}
