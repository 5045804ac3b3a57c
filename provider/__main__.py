"""`python -m provider`: serves the plugin to Terraform, or installs it into a mirror."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m provider", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    install = commands.add_parser("install", help="write the provider into a folder that Terraform reads as a mirror")
    install.add_argument("--mirror", type=Path, required=True, help="the mirror's folder; made when missing")
    arguments = parser.parse_args()
    from provider.plugin import RELEASE, VertexProvider

    if arguments.command == "install":
        from tfplugin.install import install as write

        print(write(RELEASE, arguments.mirror, root=ROOT))
        return 0
    from tfplugin.runner import NotStartedByTerraform, serve

    try:
        serve(VertexProvider())
    except NotStartedByTerraform as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
