"""The prebuilt Google bindings, loaded a resource at a time.

`import cdktf_cdktf_provider_google` runs 1,470 modules (8 to 25 s). With a package in `sys.modules` that has
only a `__path__` and the assembly it registers, `from cdktf_cdktf_provider_google.x import X` loads just x.
The Node that jsii starts would load all 1,470 of its own (2 s); `lazy_bindings.cjs` makes it load just those asked for.
The only file that knows of this, and with `cdk.stacks` the only one that names the bindings.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import types
from pathlib import Path

PACKAGE = "cdktf_cdktf_provider_google"
LAZY = Path(__file__).with_name("lazy_bindings.cjs")


def prepare() -> None:
    """Makes the package importable by its submodules alone. Call before cdktf, or the first of them, is imported."""
    _load_lazily_in_node()
    if PACKAGE in sys.modules:
        return
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise ImportError(f"{PACKAGE} is not installed; run `make install`")
    package = types.ModuleType(PACKAGE)
    package.__path__ = [str(Path(found.origin).parent)]
    package.__spec__ = found
    sys.modules[PACKAGE] = package


def _load_lazily_in_node() -> None:
    """Node reads its options when jsii starts it, which the first import of cdktf does."""
    given, option = os.environ.get("NODE_OPTIONS", ""), f'--require "{LAZY}"'
    if option not in given:
        os.environ["NODE_OPTIONS"] = f"{given} {option}".strip()


prepare()
