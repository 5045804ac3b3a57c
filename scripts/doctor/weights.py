"""Whether the checkpoint's files are where the deployment says, and whether they are the ones that it pins.

Files of this repository are hashed; of a hub's files only what it tells without a download: that they are there, and
the sha256 of those in large file storage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import httpx

from cdk.config import ROOT, DeploymentConfig
from scripts.doctor.finding import Finding, failure, ok, warning

SUBJECT = "weights"
TIMEOUT_S = 5.0
NUM_NAMED = 3
NUM_PARALLEL = 8
GONE = {401, 403, 404, 410}  # a hub says 401 of what is private or not there


def weights(config: DeploymentConfig, *, root: Path = ROOT) -> Iterator[Finding]:
    wanted, cure = config.model.weights, f"make pin-weights ENV={config.env}"
    if unpinned := [name for name, pinned in wanted.files.items() if not pinned]:
        yield failure(SUBJECT, f"no sum is pinned for {_some(unpinned)}; the build refuses such a file", cure)
    if wanted.is_remote:
        found = remote_sums(wanted.source, list(wanted.files))
    else:
        found = {name: _local_sum(root / wanted.source / name) for name in wanted.files}
    yield from judged(wanted.source, wanted.files, found, cure=cure)


def judged(source: str, pinned: dict[str, str], found: dict[str, str | None], *, cure: str) -> Iterator[Finding]:
    """found: `sha256:…` by name; "" when it is there and its sum is not told, None when it is not there."""
    if missing := [name for name in pinned if found[name] is None]:
        train = "make model, then " if "://" not in source else "Correct model.weights.source or .files, then "
        yield failure(SUBJECT, f"{source} has no {_some(missing)}", f"{train}{cure}")
    if wrong := [name for name, wanted in pinned.items() if wanted and found[name] and found[name] != wanted]:
        text = f"{_some(wrong)} in {source}: not the pinned sha256; the build refuses them"
        yield failure(SUBJECT, text, f"If the new files are right: {cure}")
    if not missing and not wrong:
        compared = sum(bool(wanted and found[name]) for name, wanted in pinned.items())
        rest = len(pinned) - compared
        yield ok(SUBJECT, f"{len(pinned)} files in {source}, {compared} with the pinned sum" + _not_told(rest))


def _not_told(rest: int) -> str:
    return f", {rest} whose sum is not told before the build" if rest else ""


def remote_sums(source: str, names: list[str]) -> dict[str, str | None]:
    """Asks for each file's headers. httpx.HTTPError never leaves; WeightsUnreachable does."""
    with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False) as http, ThreadPoolExecutor(NUM_PARALLEL) as pool:
        return dict(zip(names, pool.map(lambda name: _remote_sum(http, f"{source}/{quote(name)}"), names), strict=True))


def _remote_sum(http: httpx.Client, url: str) -> str | None:
    try:
        answer = http.head(url, headers={"Accept-Encoding": "identity"})
    except httpx.HTTPError as error:
        raise WeightsUnreachable(f"{httpx.URL(url).host} does not answer: {error or type(error).__name__}") from error
    if answer.status_code in GONE:
        return None
    if answer.status_code >= 400:
        raise WeightsUnreachable(f"{httpx.URL(url).host} answered {answer.status_code}")
    told = answer.headers.get("x-linked-etag", "").strip('"')  # of large file storage: the sha256 itself
    return f"sha256:{told}" if len(told) == 64 else ""


class WeightsUnreachable(Exception):
    """Whether the files are there is not known."""


def checked(config: DeploymentConfig) -> Iterator[Finding]:
    """`weights`, with what could not be asked as a warning."""
    try:
        yield from weights(config)
    except WeightsUnreachable as error:
        yield warning(SUBJECT, f"not found out: {error}", "Look at the network, and run `make doctor` again.")


def _local_sum(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError:
        return None


def _some(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    rest = len(names) - NUM_NAMED
    return ", ".join(names[:NUM_NAMED]) + (f" and {rest} more" if rest > 0 else "")
