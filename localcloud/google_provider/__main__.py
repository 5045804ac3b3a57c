"""`install --mirror DIR` puts the provider into a mirror; Terraform itself starts the rest.

Installing extracts the schemas into a file beside the executable, so that serving starts at once.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

from localcloud.google_provider.resources import table
from tfplugin.install import Release, install, platform_name

SOURCE = "registry.terraform.io/hashicorp/google"
ROOT = Path(__file__).resolve().parents[2]


def install_into(mirror: Path) -> Path:
    """Writes launcher and schemas, and returns the launcher's path."""
    from localcloud.google_provider.extraction import PROVIDER_VERSION, extract

    folder = mirror.resolve() / SOURCE / PROVIDER_VERSION / platform_name()
    folder.mkdir(parents=True, exist_ok=True)
    schemas = folder / "schemas.json"
    fresh = schemas.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(extract(table.type_names()), separators=(",", ":")))
    fresh.replace(schemas)
    arguments = f"--schemas {shlex.quote(str(schemas))}"
    release = Release(source=SOURCE, version=PROVIDER_VERSION, module=f"localcloud.google_provider {arguments}")
    return install(release, mirror, root=ROOT)


def serve(schemas: Path) -> None:
    from localcloud.google_provider.catalog import Catalog
    from localcloud.google_provider.google import GoogleProvider
    from tfplugin import runner

    runner.serve(GoogleProvider(Catalog.load(schemas)))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m localcloud.google_provider", description=__doc__)
    parser.add_argument("--schemas", type=Path, help="the file that `install` wrote; the launcher passes it")
    commands = parser.add_subparsers(dest="command")
    installing = commands.add_parser("install", help="install the provider into a mirror of Terraform's")
    installing.add_argument("--mirror", type=Path, required=True, help="the mirror's folder")
    arguments = parser.parse_args()
    if arguments.command == "install":
        print(f"installed {install_into(arguments.mirror)}")
        return 0
    if arguments.schemas is None:
        parser.error("Terraform starts this program; a person wants `install --mirror DIR`")
    serve(arguments.schemas)
    return 0


if __name__ == "__main__":
    sys.exit(main())
