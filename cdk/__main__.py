"""`python -m cdk`: what cdktf runs to synthesize. FLAN_ENV names the deployment; default local.

With `--prices` it prints what the deployment costs, line by line, and synthesizes nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from cdk.config import ROOT, ConfigError, DeploymentConfig, load
from cdk.prices.deployment import Price, price
from cdk.prices.table import PriceUnknown
from cdk.sources import SourceError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m cdk", description=__doc__.splitlines()[0])
    parser.add_argument("--prices", action="store_true", help="print the deployment's price, and synthesize nothing")
    arguments = parser.parse_args()
    try:
        config = load(os.environ.get("FLAN_ENV") or "local")
        costs = price(config)
        if arguments.prices:
            print(_bill(config, costs))
        else:
            synthesize_deployment(config)
    except (ConfigError, SourceError, PriceUnknown) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def synthesize_deployment(config: DeploymentConfig) -> Path:
    """Writes every stack as Terraform JSON; returns the output folder."""
    # jsii starts Node: the one that it supports, so that no end-of-life banner greets anyone.
    node = ROOT / "node_modules" / ".bin" / "node"
    if node.exists():
        os.environ.setdefault("JSII_NODE", str(node))
    os.environ.setdefault("CHECKPOINT_DISABLE", "1")
    from cdk import bindings  # noqa: F401  before cdktf: what it sets is read when Node starts
    from cdk.app import synthesize  # imports cdktf, which starts Node: only for a file that is known to be good

    return synthesize(config)


def _bill(config: DeploymentConfig, costs: Price) -> str:
    lines = [f"{config.env}: USD {costs.usd_per_hour:.4f} per hour, {costs.usd_per_day:.2f} per day, "]
    lines[0] += f"{costs.usd_per_month:,.2f} per month of 730 hours, at rest. List prices of {costs.dated}."
    for item in costs.items:
        lines += ["", f"  {item.usd_per_hour:9.4f} /h  {item.what}", f"               {item.source}"]
        lines.append(f"               {item.note}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
