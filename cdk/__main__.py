"""`python -m cdk`: what cdktf runs to synthesize. FLAN_ENV names the deployment; default local."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    # jsii starts Node: the one that it supports, so that no end-of-life banner greets anyone.
    node = ROOT / "node_modules" / ".bin" / "node"
    if node.exists():
        os.environ.setdefault("JSII_NODE", str(node))
    os.environ.setdefault("CHECKPOINT_DISABLE", "1")
    from cdk.config import ConfigError, load
    from cdk.prices import PriceUnknown
    from cdk.sources import SourceError

    try:
        config = load(os.environ.get("FLAN_ENV", "local"))
        from cdk.app import synthesize  # imports cdktf: only once the file is known to be good

        synthesize(config)
    except (ConfigError, SourceError, PriceUnknown) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
