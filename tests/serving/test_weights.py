"""The weights script, run as a build step runs it, against a real HTTP server on loopback."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "serving" / "weights.py"
BIG = os.urandom(3_000_000)
SMALL = b'{"model_type": "t5"}'


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Hub(BaseHTTPRequestHandler):
    """Files with ranges, a hub's metadata route, and faults on demand: a list of functions, one per request."""

    def do_GET(self):
        hub = self.server
        hub.requests.append((self.path, self.headers.get("Range")))
        if hub.faults and hub.faults.pop(0)(self):
            return
        name = self.path.rpartition("/")[2]
        if self.path.startswith("/api/models/org/t5/revision/main"):
            self.reply(200, json.dumps(hub.metadata).encode())
        elif name in hub.files:
            self.send_file(hub.files[name])
        else:
            self.reply(404, b"no such file")

    def send_file(self, data):
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if start >= len(data) and wanted:
            return self.reply(416, b"")
        headers = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if wanted else {}
        return self.reply(206 if wanted else 200, data[start:], **headers)

    def reply(self, status, data, *, length=None, **headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(length or len(data)))
        self.end_headers()
        self.wfile.write(data)
        return True

    def log_message(self, *_):
        pass


@pytest.fixture
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.requests, server.faults = [], []
    server.files = {"config.json": SMALL, "model.safetensors": BIG}
    server.url = f"http://127.0.0.1:{server.server_port}"
    server.source = f"{server.url}/org/t5/resolve/main"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def weights(tmp_path):
    """Runs the script in an empty folder."""

    def run(*arguments, manifest=None):
        env = {"PATH": os.environ["PATH"], "WEIGHTS_PAUSE_S": "0.01"}
        if manifest is not None:
            env["WEIGHTS"] = manifest if isinstance(manifest, str) else json.dumps(manifest)
        return subprocess.run(
            [sys.executable, "-I", str(SCRIPT), *arguments],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def manifest(source, **files):
    return {"source": source, "files": {name.replace("__", "."): value for name, value in files.items()}}


def both(hub):
    return manifest(hub.source, config__json=sha(SMALL), model__safetensors=sha(BIG))


def test_downloads_every_file_and_says_so(hub, weights, tmp_path):
    done = weights("--out", "weights", manifest=both(hub))

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "weights/model.safetensors").read_bytes() == BIG
    assert sorted(p.name for p in (tmp_path / "weights").iterdir()) == ["config.json", "model.safetensors"]
    assert "2 files, 3.0 MB, every sum right" in done.stdout


def test_a_second_run_downloads_nothing(hub, weights):
    weights("--out", "weights", manifest=both(hub))
    hub.requests.clear()

    done = weights("--out", "weights", manifest=both(hub))

    assert (done.returncode, hub.requests) == (0, [])
    assert "config.json: already here, sum right" in done.stdout


def test_a_file_that_was_changed_since_is_fetched_again(hub, weights, tmp_path):
    weights("--out", "weights", manifest=both(hub))
    (tmp_path / "weights/config.json").write_text("{}")

    assert weights("--out", "weights", manifest=both(hub)).returncode == 0
    assert (tmp_path / "weights/config.json").read_bytes() == SMALL


def test_a_lost_connection_is_resumed_where_it_broke(hub, weights, tmp_path):
    hub.faults = [lambda request: request.reply(200, BIG[:1_000_000], length=len(BIG))]

    done = weights("--out", "weights", manifest=manifest(hub.source, model__safetensors=sha(BIG)))

    assert done.returncode == 0, done.stderr
    assert [wanted for _, wanted in hub.requests] == [None, "bytes=1000000-"]
    assert (tmp_path / "weights/model.safetensors").read_bytes() == BIG


def test_an_interrupted_run_goes_on_in_the_next(hub, weights, tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/model.safetensors.part").write_bytes(BIG[:2_000_000])

    done = weights("--out", "weights", manifest=manifest(hub.source, model__safetensors=sha(BIG)))

    assert done.returncode == 0, done.stderr
    assert hub.requests == [("/org/t5/resolve/main/model.safetensors", "bytes=2000000-")]


@pytest.mark.parametrize("left", [b"other bytes", BIG + b"more"], ids=["of another file", "longer than the file"])
def test_a_wrong_beginning_is_thrown_away_and_fetched_anew(hub, weights, tmp_path, left):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/model.safetensors.part").write_bytes(left)

    done = weights("--out", "weights", manifest=manifest(hub.source, model__safetensors=sha(BIG)))

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "weights/model.safetensors").read_bytes() == BIG


def test_a_server_that_ignores_ranges_is_read_from_the_start(hub, weights, tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/model.safetensors.part").write_bytes(BIG[:1000])
    hub.faults = [lambda request: request.reply(200, BIG)]

    assert weights("--out", "weights", manifest=manifest(hub.source, model__safetensors=sha(BIG))).returncode == 0
    assert (tmp_path / "weights/model.safetensors").read_bytes() == BIG


def test_a_busy_hub_is_asked_again_with_growing_pauses(hub, weights):
    hub.faults = [lambda request: request.reply(503, b""), lambda request: request.reply(429, b"")]

    done = weights("--out", "weights", manifest=manifest(hub.source, config__json=sha(SMALL)))

    assert done.returncode == 0
    assert "503 Service Unavailable; try 2 of 6" in done.stdout
    assert len(hub.requests) == 3


def test_a_hub_that_stays_down_is_given_up_with_its_last_answer(hub, weights):
    hub.faults = [lambda request: request.reply(503, b"")] * 10

    done = weights("--out", "weights", manifest=manifest(hub.source, config__json=sha(SMALL)))

    assert done.returncode == 1
    assert "gave up after 6 tries: 503" in done.stderr


def test_a_missing_file_is_not_asked_for_twice(hub, weights):
    done = weights("--out", "weights", manifest=manifest(hub.source, other__json=sha(SMALL)))

    assert done.returncode == 1
    assert "other.json: 404 Not Found" in done.stderr
    assert len(hub.requests) == 1


def test_a_file_with_another_sum_is_not_kept(hub, weights, tmp_path):
    done = weights("--out", "weights", manifest=manifest(hub.source, config__json=sha(b"expected")))

    assert done.returncode == 1
    assert f"config.json has sha256 {sha(SMALL)[7:]}, pinned is {sha(b'expected')[7:]}: not kept" in done.stderr
    assert list((tmp_path / "weights").iterdir()) == []


REFUSED = [
    ("", "WEIGHTS must be"),
    ("[]", "WEIGHTS must be"),
    ('{"source": "https://h/a"}', "WEIGHTS must be"),
    (manifest("https://h/a"), "names no files; run `make pin-weights`"),
    (manifest("https://h/a", a=""), "a has no sum (wanted \"sha256:\" and 64 hex digits, got '')"),
    (manifest("https://h/a", a="sha256:12"), "a has no sum"),
    (manifest("https://h/a", a="0" * 64), "a has no sum"),
    ({"source": "https://h/a", "files": {"../a": sha(b"")}}, "'../a' must stay inside the folder"),
    ({"source": "https://h/a", "files": {"/etc/a": sha(b"")}}, "'/etc/a' must stay inside the folder"),
    ({"source": "https://h/a", "files": {"a/../../b": sha(b"")}}, "must stay inside the folder"),
    ({"source": "https://h/a", "files": {"a\\b": sha(b"")}}, "must stay inside the folder"),
    ({"source": "https://h/a", "files": {"": sha(b"")}}, "must stay inside the folder"),
    (manifest("http://hub.invalid/a", a=sha(b"")), "must be https"),
    (manifest("ftp://hub.invalid/a", a=sha(b"")), "must be https"),
    (manifest("file:///etc", passwd=sha(b"")), "must be https"),
    (manifest("/etc", passwd=sha(b"")), "must be an https address or a folder inside the repository"),
    (manifest("../other", a=sha(b"")), "must be an https address or a folder inside the repository"),
]


@pytest.mark.parametrize(("text", "sentence"), REFUSED)
def test_a_manifest_that_cannot_be_trusted_is_refused_before_anything_is_fetched(weights, tmp_path, text, sentence):
    done = weights("--out", "weights", manifest=text)

    assert done.returncode == 1
    assert sentence in done.stderr
    assert not (tmp_path / "weights").exists()


def test_a_redirect_to_plain_http_is_refused(hub, weights):
    hub.faults = [lambda request: request.reply(302, b"", Location="http://hub.invalid/config.json")]

    done = weights("--out", "weights", manifest=manifest(hub.source, config__json=sha(SMALL)))

    assert done.returncode == 1
    assert "'http://hub.invalid/config.json' must be https" in done.stderr


def test_a_folder_of_the_repository_is_copied_and_checked(weights, tmp_path):
    (tmp_path / "models/mini").mkdir(parents=True)
    (tmp_path / "models/mini/config.json").write_bytes(SMALL)

    done = weights("--out", "weights", manifest=manifest("models/mini", config__json=sha(SMALL)))
    wrong = weights("--out", "other", manifest=manifest("models/mini", config__json=sha(b"x")))
    missing = weights("--out", "third", manifest=manifest("models/mini", other__json=sha(b"x")))

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "weights/config.json").read_bytes() == SMALL
    assert (wrong.returncode, missing.returncode) == (1, 1)
    assert "models/mini/other.json: No such file or directory" in missing.stderr


def test_a_file_that_the_manifest_does_not_name_keeps_the_image_from_being_built(weights, tmp_path, hub):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/old.bin").write_bytes(b"old")

    done = weights("--out", "weights", manifest=both(hub))

    assert done.returncode == 1
    assert "['old.bin']" in done.stderr


def siblings(**sums):
    return [
        {"rfilename": name.replace("__", "."), "size": 10} | ({"lfs": {"sha256": value}} if value else {})
        for name, value in sums.items()
    ]


def test_pins_a_hubs_files_from_its_metadata_and_downloads_only_the_small_ones(hub, weights):
    hub.metadata = {
        "sha": "c" * 40,
        "siblings": siblings(
            config__json=None, model__safetensors="a" * 64, pytorch_model__bin="b" * 64, README__md=None
        ),
    }

    done = weights("pin", "--source", hub.source)

    assert tomllib.loads(done.stdout) == {"config.json": sha(SMALL), "model.safetensors": "sha256:" + "a" * 64}
    assert f"{hub.url}/org/t5/resolve/{'c' * 40}" in done.stdout.splitlines()[0]
    assert not [path for path, _ in hub.requests if path.endswith("model.safetensors")]


def test_pins_pickled_shards_and_their_index_when_there_are_no_safetensors(hub, weights):
    names = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
    hub.files["pytorch_model.bin.index.json"] = b"{}"
    hub.metadata = {
        "siblings": [
            *siblings(config__json=None, tf_model__h5="d" * 64),
            *({"rfilename": name, "lfs": {"sha256": "b" * 64}} for name in names),
            {"rfilename": "pytorch_model.bin.index.json"},
        ]
    }

    pins = tomllib.loads(weights("pin", "--source", hub.source).stdout)

    assert sorted(pins) == ["config.json", *names, "pytorch_model.bin.index.json"]


def test_pins_a_folder_and_the_pins_fetch_it(tiny, weights, tmp_path):
    shutil.copytree(tiny, tmp_path / "model")
    (tmp_path / "model/README.md").write_text("card")

    pins = tomllib.loads(weights("pin", "--source", "model").stdout)
    done = weights("--out", "weights", manifest={"source": "model", "files": pins})

    assert {"config.json", "tokenizer.json", "model.safetensors"} <= set(pins)
    assert "README.md" not in pins
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("https://hub.invalid/org/t5", "must look like https://"),
        ("nowhere", "'nowhere' is not a folder"),
        (".", "no config.json with weights"),
    ],
)
def test_a_source_that_cannot_be_pinned_is_refused(weights, source, sentence):
    done = weights("pin", "--source", source)

    assert done.returncode == 1
    assert sentence in done.stderr
    assert done.stdout == ""
