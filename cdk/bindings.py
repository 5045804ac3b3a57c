"""The prebuilt Google bindings, loaded a resource at a time.

`import cdktf_cdktf_provider_google` runs 1,470 modules (8 to 25 s). With a package in `sys.modules` that has
only a `__path__` and the assembly it registers, `from cdktf_cdktf_provider_google.x import X` loads just x.
The only file that knows of this, and with `cdk.stacks` the only one that names the bindings.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from pathlib import Path

PACKAGE = "cdktf_cdktf_provider_google"


def prepare() -> None:
    """Makes the package importable by its submodules alone. Call before the first of them is imported."""
    if PACKAGE in sys.modules:
        return
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise ImportError(f"{PACKAGE} is not installed; run `make install`")
    package = types.ModuleType(PACKAGE)
    package.__path__ = [str(Path(found.origin).parent)]
    package.__spec__ = found
    sys.modules[PACKAGE] = package


prepare()
