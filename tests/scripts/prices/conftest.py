"""A local double of the Cloud Billing Catalog API, with SKUs in the shape that the real one gives."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

RECORDED = json.loads((Path(__file__).with_name("catalog.json")).read_text())


class CatalogDouble:
    """Answers as the API does: in pages, with an error body without a key. failures: statuses to give first."""

    def __init__(self, *, page_size=2):
        self.page_size, self.failures, self.asked = page_size, [], []
        self.services, self.skus = RECORDED["services"], RECORDED["skus"]
        double = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                double._answer(self)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request):
        url = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.asked.append((url.path, query))
        status, body = self._document(url.path, query, request.headers.get("Authorization", ""))
        data = json.dumps(body).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def _document(self, path, query, authorization):
        if self.failures:
            return self.failures.pop(0), {"error": {"message": "not now"}}
        if query.get("key") != "right" and authorization != "Bearer right":
            message = "Method doesn't allow unregistered callers (callers without established identity)."
            return 403, {"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED"}}
        if path == "/v1/services":
            return 200, self._page("services", self.services, query)
        service = path.removeprefix("/v1/services/").removesuffix("/skus")
        if service not in self.skus:
            return 404, {"error": {"code": 404, "message": f"Service {service} not found.", "status": "NOT_FOUND"}}
        return 200, self._page("skus", self.skus[service], query)

    def _page(self, key, entries, query):
        start = int(query.get("pageToken") or 0)
        end = start + min(self.page_size, int(query.get("pageSize", 5000)))
        return {key: entries[start:end], "nextPageToken": str(end) if end < len(entries) else ""}


@pytest.fixture
def double():
    catalog = CatalogDouble()
    yield catalog
    catalog.stop()
