# ruff: noqa: T201 (a script: it prints)
"""Fetches a model's files before an image is built, and pins their sums. Runs alone: standard library only.

    WEIGHTS='{"source": …, "files": {name: "sha256:…"}}' python serving/weights.py --out weights
    python serving/weights.py pin --source https://huggingface.co/ID/resolve/REVISION | FOLDER

The first downloads (or copies, when the source is a folder of the repository) every file, resumes what was
interrupted, and keeps nothing whose sum is not the pinned one. The second prints the lines for a deployment's
[model.weights]. Knows nothing of models, of images, or of the rest of this package.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import random
import shutil
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

CHUNK = 1 << 20
TIMEOUT_S = 60
NUM_TRIES = 6
PAUSE_S = float(os.environ.get("WEIGHTS_PAUSE_S", "1"))  # doubles with each try
NUM_PARALLEL = 4
PROGRESS_S = 10
MAX_SMALL_BYTES = 64 << 20  # larger files that the hub gives no sum for are not downloaded only to be hashed
RETRIED = {408, 425, 429, 500, 502, 503, 504}
STOP = threading.Event()  # set when one file has failed, so that the others do not download for nothing
CURE = "run `make pin-weights` and put what it prints into the deployment file"


class WeightsError(Exception):
    """Cannot be fetched or must not be used; the message names the file and the cure."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="weights.py", description="Fetches or pins a model's files.")
    parser.add_argument("--out", type=Path, help="folder to fill; the manifest is read from the variable WEIGHTS")
    pin_parser = parser.add_subparsers(dest="command").add_parser("pin", help="print the sums of a source's files")
    pin_parser.add_argument("--source", required=True, help="https://…/ID/resolve/REVISION, or a folder")
    options = parser.parse_args(arguments)
    try:
        if options.command == "pin":
            print("\n".join(pin(options.source)))
        elif options.out is None:
            parser.error("--out is missing")
        else:
            fetch(os.environ.get("WEIGHTS", ""), options.out)
    except WeightsError as error:
        print(f"weights: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("weights: interrupted; the same command goes on where this one stopped", file=sys.stderr)
        return 130
    return 0


def fetch(manifest: str, out: Path) -> None:
    """Makes `out` hold exactly the files of the manifest."""
    source, sums = read_manifest(manifest)
    out.mkdir(parents=True, exist_ok=True)
    _refuse_strangers(out, sums)
    started = time.monotonic()
    with ThreadPoolExecutor(NUM_PARALLEL) as pool:
        jobs = [pool.submit(_fetch_file, source, name, wanted, out / name) for name, wanted in sums.items()]
        try:
            num_bytes = sum(job.result() for job in jobs)
        except BaseException:
            STOP.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    say(f"{len(sums)} files, {num_bytes / 1e6:.1f} MB, every sum right, {time.monotonic() - started:.1f} s")


def read_manifest(text: str) -> tuple[str, dict[str, str]]:
    """Returns source and {name: hex sha256}; refuses what could not be checked or would land elsewhere."""
    try:
        manifest = json.loads(text)
        source, files = manifest["source"], manifest["files"]
        named = [(str(name), str(value)) for name, value in files.items()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f'WEIGHTS must be {{"source": …, "files": {{name: "sha256:…"}}}}: {error!r}') from None
    if not named:
        raise WeightsError(f"WEIGHTS names no files; {CURE}")
    sums = {}
    for name, value in named:
        path = PurePosixPath(name)
        if not name or "\\" in name or path.is_absolute() or ".." in path.parts or str(path) != name:
            raise WeightsError(f"file name {name!r} must stay inside the folder: no '..', no leading '/', no '\\'")
        digest = value.removeprefix("sha256:").lower()
        if not value.startswith("sha256:") or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise WeightsError(f'{name} has no sum (wanted "sha256:" and 64 hex digits, got {value!r}); {CURE}')
        sums[name] = digest
    _check_source(str(source))
    return str(source).rstrip("/"), sums


def pin(source: str) -> Iterator[str]:
    """The TOML lines of [model.weights.files] for a source."""
    _check_source(source)
    if "://" not in source:
        folder = Path(source)
        if not folder.is_dir():
            raise WeightsError(f"{source!r} is not a folder")
        names = [p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*")) if p.is_file()]
        sums = {name: _sha256(folder / name) for name in choose(names)}
    else:
        commit, sums = _pin_hub(source.rstrip("/"))
        if commit != source.rstrip("/"):
            yield f"# {source} moves with its branch; these are the sums of source = {json.dumps(commit)}"
    yield from (f'{json.dumps(name)} = "sha256:{digest}"' for name, digest in sorted(sums.items()))


def choose(names: list[str]) -> list[str]:
    """The files that a server loads: settings, tokenizer, and one format of weights, safetensors if there is any."""
    weights = [name for name in names if name.endswith((".safetensors", ".safetensors.index.json"))]
    weights = weights or [name for name in names if Path(name).name.startswith("pytorch_model")]
    settings = [name for name in names if name.endswith((".json", "spiece.model")) and ".index." not in name]
    chosen = [name for name in (*settings, *weights) if "/" not in name]
    if not weights or "config.json" not in chosen:
        raise WeightsError(f"no config.json with weights (safetensors or pytorch_model*.bin) among {len(names)} files")
    return sorted(set(chosen))


def _pin_hub(source: str) -> tuple[str, dict[str, str]]:
    """Sums as the hub knows them, and the source with the branch replaced by the commit it stands for today."""
    base, found, revision = source.partition("/resolve/")
    host = urllib.parse.urlsplit(base)
    if not found or not revision or "/" in revision:
        raise WeightsError(f"{source!r} must look like https://huggingface.co/ID/resolve/REVISION")
    reply = json.loads(_read_all(f"{host.scheme}://{host.netloc}/api/models{host.path}/revision/{revision}?blobs=true"))
    source = f"{base}/resolve/{reply.get('sha') or revision}"
    files = {file["rfilename"]: file for file in reply.get("siblings", [])}
    return source, {name: _hub_sum(source, name, files[name]) for name in choose(list(files))}


def _hub_sum(source: str, name: str, file: dict[str, Any]) -> str:
    if digest := (file.get("lfs") or {}).get("sha256"):
        return str(digest)
    if file.get("size", 0) > MAX_SMALL_BYTES:
        raise WeightsError(f"{name}: the hub gives no sum for its {file['size']} bytes; download it and pin the folder")
    return hashlib.sha256(_read_all(_url(source, name))).hexdigest()


def _fetch_file(source: str, name: str, wanted: str, target: Path) -> int:
    """Puts one file in place and returns its size in bytes."""
    if target.is_file() and _sha256(target) == wanted:
        say(f"{name}: already here, sum right")
        return target.stat().st_size
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    if "://" in source:
        was_resumed = part.exists()
        _download(_url(source, name), name, part)
        if _sha256(part) != wanted and was_resumed:
            say(f"{name}: wrong sum after resuming; once more from the start")
            part.unlink()
            _download(_url(source, name), name, part)
    else:
        _copy(Path(source) / name, part)
    got = _sha256(part)
    if got != wanted:
        part.unlink()
        raise WeightsError(f"{name} has sha256 {got}, pinned is {wanted}: not kept. If the new file is right, {CURE}")
    part.replace(target)
    say(f"{name}: {target.stat().st_size / 1e6:.1f} MB, sum right")
    return target.stat().st_size


def _copy(file: Path, part: Path) -> None:
    try:
        shutil.copyfile(file, part)
    except OSError as error:
        raise WeightsError(f"{file}: {error.strerror}") from None


def _download(url: str, name: str, part: Path) -> None:
    for number in range(1, NUM_TRIES + 1):
        try:
            _download_once(url, name, part)
        except urllib.error.HTTPError as error:
            if error.code == 416:  # our part is not a beginning of theirs
                part.unlink(missing_ok=True)
            elif error.code not in RETRIED:
                raise WeightsError(f"{url}: {error.code} {error.reason}") from None
            problem = f"{error.code} {error.reason}"
        except (OSError, http.client.HTTPException) as error:
            problem = str(error) or type(error).__name__
        else:
            return
        if number < NUM_TRIES:
            pause_s = PAUSE_S * 2 ** (number - 1) * random.uniform(0.8, 1.2)  # noqa: S311
            say(f"{name}: {problem}; try {number + 1} of {NUM_TRIES} in {pause_s:.1f} s")
            STOP.wait(pause_s)
    raise WeightsError(f"{url}: gave up after {NUM_TRIES} tries: {problem}")


def _download_once(url: str, name: str, part: Path) -> None:
    offset = part.stat().st_size if part.exists() else 0
    with _open(url, offset) as reply:
        is_resumed = reply.status == 206 and reply.headers.get("Content-Range", "").startswith(f"bytes {offset}-")
        offset = offset if is_resumed else 0
        left = reply.headers.get("Content-Length")
        total = offset + int(left) if left else None
        if left and int(left) > (free := shutil.disk_usage(part.parent).free):
            raise WeightsError(f"{name} needs {int(left) / 1e9:.1f} GB more and the disk has {free / 1e9:.1f} GB free")
        said = time.monotonic()
        with part.open("ab" if is_resumed else "wb") as file:
            while chunk := reply.read(CHUNK):
                if STOP.is_set():
                    raise WeightsError(f"{name}: stopped, because another file failed")
                file.write(chunk)
                offset += len(chunk)
                if time.monotonic() - said > PROGRESS_S:
                    said = time.monotonic()
                    say(f"{name}: {offset / 1e6:.0f} of {(total or 0) / 1e6:.0f} MB")
    if total is not None and offset != total:
        raise http.client.IncompleteRead(b"", total - offset)


def _open(url: str, offset: int = 0) -> Any:
    headers = {"User-Agent": "flanstack-weights"} | ({"Range": f"bytes={offset}-"} if offset else {})
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  (https only: _check_source, _HttpsOnly)
    return urllib.request.build_opener(_HttpsOnly).open(request, timeout=TIMEOUT_S)


def _read_all(url: str) -> bytes:
    for number in range(NUM_TRIES):
        try:
            with _open(url) as reply:
                return bytes(reply.read())
        except urllib.error.HTTPError as error:
            if error.code not in RETRIED:
                raise WeightsError(f"{url}: {error.code} {error.reason}") from None
            problem = f"{error.code} {error.reason}"
        except (OSError, http.client.HTTPException) as error:
            problem = str(error)
        STOP.wait(PAUSE_S * 2**number)
    raise WeightsError(f"{url}: gave up after {NUM_TRIES} tries: {problem}")


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """A hub redirects to its storage; a redirect to plain http is refused."""

    def redirect_request(self, *args: Any) -> urllib.request.Request | None:
        _check_source(args[-1])
        return super().redirect_request(*args)


def _check_source(source: str) -> None:
    parts = urllib.parse.urlsplit(source)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname == "127.0.0.1"):
        return
    if "://" in source:
        raise WeightsError(f"source {source!r} must be https")
    if not source or Path(source).is_absolute() or ".." in Path(source).parts:
        raise WeightsError(f"source {source!r} must be an https address or a folder inside the repository")


def _refuse_strangers(out: Path, sums: dict[str, str]) -> None:
    found = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    if strangers := sorted(found - set(sums) - {f"{name}.part" for name in sums}):
        raise WeightsError(f"{out} holds files that WEIGHTS does not name, they would get into the image: {strangers}")


def _url(source: str, name: str) -> str:
    return f"{source}/{urllib.parse.quote(name)}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def say(line: str) -> None:
    print(f"weights: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
