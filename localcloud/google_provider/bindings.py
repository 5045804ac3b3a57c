"""The generated sources of the google provider's bindings, out of the installed wheel.

The wheel carries its jsii package as a tarball. Every module in it has an inline source map that
holds the TypeScript it was compiled from, which was generated "from terraform resource schema".
Knows where that text is; knows nothing of what it says.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import tarfile
from collections.abc import Collection
from pathlib import Path

PACKAGE = "cdktf_cdktf_provider_google"
_SOURCE_MAP = b"//# sourceMappingURL=data:application/json;base64,"


class BindingsError(Exception):
    """The wheel is missing, or does not hold what this provider reads from it."""


def tarball() -> Path:
    """The jsii tarball. The package itself is not imported: that would start Node."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise BindingsError(f"the Python package {PACKAGE} is not installed; run `make install`")
    found = sorted((Path(spec.origin).parent / "_jsii").glob("*.jsii.tgz"))
    if len(found) != 1:
        raise BindingsError(f"{Path(spec.origin).parent}/_jsii must hold one *.jsii.tgz, it holds {len(found)}")
    return found[0]


def sources(modules: Collection[str]) -> dict[str, str]:
    """The TypeScript of each module, by its folder's name such as `storage-bucket`."""
    wanted = {f"package/lib/{module}/index.js": module for module in modules}
    texts: dict[str, str] = {}
    with tarfile.open(tarball(), "r|gz") as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.name in wanted else None
            if stream is not None:
                texts[wanted[member.name]] = _typescript(member.name, stream.read())
    missing = sorted(set(modules) - texts.keys())
    if missing:
        raise BindingsError(f"{tarball().name} has no module {', '.join(missing)}; a newer wheel may have renamed it")
    return texts


def _typescript(name: str, javascript: bytes) -> str:
    _, mark, encoded = javascript.rpartition(_SOURCE_MAP)
    contents = json.loads(base64.b64decode(encoded)).get("sourcesContent") if mark else None
    if not contents:
        raise BindingsError(f"{name} in {tarball().name} has no inline source map with its TypeScript")
    return str(contents[0])
