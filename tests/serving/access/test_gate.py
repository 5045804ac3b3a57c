"""Keys, quotas, origins and request ids of a real server, over loopback."""

import base64
import subprocess
import sys

import httpx
import pytest

from serving.access.keys import digest_of
from tests.serving.conftest import ROOT, ServerThread

KEY, OTHER = "sk-of-alice", "sk-of-ben"
PREDICT = {"instances": ["Anna"], "parameters": {"max_new_tokens": 4}}


@pytest.fixture(scope="module")
def keys_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("secret") / "keys.toml"
    path.write_text(
        f'[alice]\nsha256 = "{digest_of(KEY)}"\n'
        f'[ben]\nsha256 = "{digest_of(OTHER)}"\nrequests_per_minute = 2\ntokens_per_minute = 0\n'
    )
    return path


@pytest.fixture(scope="module")
def guarded(tiny, keys_file):
    """One server that asks for keys, for the tests that only ask."""
    server = ServerThread(model_dir=tiny, keys_file=keys_file).wait_healthy()
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client
    server.close()


def bearer(key):
    return {"authorization": f"Bearer {key}"}


def routes(client, headers):
    """Every route that the server says it has, and those that it does not say."""
    said = client.get("/openapi.json", headers=headers).json()["paths"]
    told = [(method.upper(), path) for path, methods in said.items() for method in methods]
    return [
        *told,
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/ui"),
        ("GET", "/nowhere"),
        ("PUT", "/models/x"),
    ]


PATHS = ("/predict", "/v1/completions", "/invocations", "/v2/models/x/infer", "/predictions/x", "/infer")
OPEN = {"/health", "/ping", "/v2/health/live", "/v2/health/ready"}


def test_every_route_but_health_asks_for_a_key(guarded):
    answers = {(method, path): guarded.request(method, path) for method, path in routes(guarded, bearer(KEY))}

    assert len(answers) > 30
    refused = {path: answer for (_, path), answer in answers.items() if answer.status_code == 401}
    assert {path for _, path in answers} - refused.keys() == OPEN
    assert all(answer.headers["www-authenticate"].startswith("Bearer") for answer in refused.values())
    assert {"/invocations", "/metrics", "/predict"} <= refused.keys()


@pytest.mark.parametrize(
    "headers",
    [
        bearer(KEY),
        {"authorization": f"bearer  {KEY}"},
        {"x-api-key": KEY},
        {"authorization": "Basic " + base64.b64encode(f"anyone:{KEY}".encode()).decode()},
    ],
)
def test_a_key_is_taken_in_any_of_its_headers(guarded, headers):
    assert guarded.post("/predict", json=PREDICT, headers=headers).status_code == 200


def test_what_is_no_key_is_refused_in_the_words_of_each_wire(guarded):
    for headers in (bearer("sk-wrong"), {"authorization": "Basic ???"}, {"authorization": "Digest x"}):
        assert guarded.post("/predict", json=PREDICT, headers=headers).status_code == 401
    said = {path: guarded.post(path).json() for path in PATHS}

    assert said["/predict"]["error"]["reason"] == "unauthorized"
    assert said["/v1/completions"]["error"]["code"] == "invalid_api_key"
    assert said["/invocations"]["error_type"] == "unauthorized"
    assert said["/predictions/x"]["type"] == "InvalidKeyException"
    assert "a key is asked for" in said["/infer"]["error"]
    assert "a key is asked for" in said["/v2/models/x/infer"]["error"]


def test_a_clients_own_quota_holds_for_it_alone(guarded):
    bens = [guarded.post("/predict", json=PREDICT, headers=bearer(OTHER)) for _ in range(3)]
    alices = [guarded.post("/predict", json=PREDICT, headers=bearer(KEY)) for _ in range(3)]
    read = guarded.get("/v1/models", headers=bearer(OTHER))

    assert [answer.status_code for answer in bens] == [200, 200, 429]
    assert int(bens[2].headers["retry-after"]) in range(20, 31)
    assert bens[2].json()["error"]["reason"] == "quota_exceeded"
    assert [answer.status_code for answer in alices] == [200, 200, 200]
    assert read.status_code == 200


def test_tokens_count_what_was_read_and_generated(serve):
    url = serve(client_header="x-client", client_tokens_per_minute=10).url

    def ask(client, stream=False):
        body = {"instances": ["Anna asks Ben to bring bread."], "parameters": {"max_new_tokens": 8}, "stream": stream}
        return httpx.post(url + "/predict", json=body, headers={"x-client": client}, timeout=60)

    whole, streamed = [ask("a"), ask("a")], [ask("b", stream=True), ask("b", stream=True)]

    assert [answer.status_code for answer in whole] == [200, 429]
    assert [answer.status_code for answer in streamed] == [200, 429]
    assert "10 tokens a minute" in whole[1].text


def test_no_key_is_ever_logged(start_server, keys_file):
    server = start_server(KEYS_FILE=keys_file, LOG_LEVEL="debug").wait_healthy()
    for key in (KEY, "sk-secretguess"):
        httpx.post(server.url + "/predict", json=PREDICT, headers=bearer(key), timeout=60)
        httpx.get(server.url + "/metrics", headers=bearer(key))
    server.process.terminate()
    server.end()

    assert "401 unauthorized" in server.log
    for secret in (KEY, "sk-secretguess", digest_of(KEY)):
        assert secret not in server.log


@pytest.mark.parametrize("text", ["[alice]\n", None])
def test_a_keys_file_that_cannot_be_used_ends_the_start_with_a_sentence(start_server, tmp_path, text):
    path = tmp_path / "keys.toml"
    if text is not None:
        path.write_text(text)
    server = start_server(KEYS_FILE=path)

    assert server.end(timeout=30) == 2
    assert "KEYS_FILE" in server.log
    assert "Traceback" not in server.log


def test_the_command_makes_a_key_that_the_server_takes(serve, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "serving", "key", "carol"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    path = tmp_path / "keys.toml"
    path.write_text(done.stdout)
    key = done.stderr.rsplit(" ", 1)[1].strip()

    url = serve(keys_file=path).url

    assert key not in done.stdout
    assert httpx.get(url + "/v1/models", headers=bearer(key)).status_code == 200


def test_a_command_with_a_bad_name_says_what_a_name_has():
    done = subprocess.run(
        [sys.executable, "-m", "serving", "key", "a b"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "a client's name has letters" in done.stderr


def test_other_origins_are_let_in_only_where_they_are_named(serve, keys_file, client):
    asked = {"origin": "https://page.example", "access-control-request-method": "POST"}
    closed = client.options("/predict", headers=asked)
    url = serve(keys_file=keys_file, cors_origins="https://page.example, https://other.example").url
    preflight = httpx.options(url + "/predict", headers=asked)
    stranger = httpx.options(url + "/predict", headers=asked | {"origin": "https://stranger.example"})

    assert "access-control-allow-origin" not in closed.headers
    assert preflight.headers["access-control-allow-origin"] == "https://page.example"
    assert "access-control-allow-origin" not in stranger.headers


@pytest.mark.parametrize(
    "path", ["/predict", "/v1/completions", "/invocations", "/infer", "/v2", "/models", "/nowhere"]
)
def test_a_request_id_comes_back_and_one_is_made_where_none_was_sent(client, path):
    assert client.post(path, headers={"x-request-id": "mine-7"}).headers["x-request-id"] == "mine-7"
    assert len(client.get(path).headers["x-request-id"]) == 32
