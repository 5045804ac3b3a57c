"""`python -m provider`: serves the plugin to Terraform, installs or packages it, or shows what it is doing."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    # Terraform starts the provider several times per command, without an argument: it pays for nothing but that.
    return serve() if len(sys.argv) == 1 else command_line()


def serve() -> int:
    """Returns only when nobody's plugin host started it."""
    from provider.plugin import VertexProvider
    from tfplugin.runner import NotStartedByTerraform
    from tfplugin.runner import serve as serve_plugin

    try:
        serve_plugin(VertexProvider())
    except NotStartedByTerraform as error:
        print(error, file=sys.stderr)
        return 1


def command_line() -> int:
    import argparse

    from tfplugin.wheels import PLATFORM_TAGS

    parser = argparse.ArgumentParser(prog="python -m provider", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    install = commands.add_parser("install", help="write the provider into a folder that Terraform reads as a mirror")
    install.add_argument("--mirror", type=Path, required=True, help="the mirror's folder; made when missing")
    package = commands.add_parser("package", help="write the archive that a registry or another machine takes")
    package.add_argument("--out", type=Path, required=True, help="the archives' folder; made when missing")
    package.add_argument(
        "--platform", action="append", choices=[*PLATFORM_TAGS], help="repeatable; default this machine's"
    )
    package.add_argument(
        "--python", action="append", type=Path, help="compiles bytecode, repeatable; default those on the PATH"
    )
    progress = commands.add_parser("progress", help="show what the provider is doing, which Terraform hides")
    progress.add_argument("--follow", action="store_true", help="go on showing, until Ctrl-C")
    progress.add_argument("--file", type=Path, help="default the one that FLANSTACK_PROGRESS_FILE or the folder names")
    progress.add_argument("run", nargs="*", metavar="COMMAND", help="run it and show its progress: -- terraform apply")
    arguments = parser.parse_args()
    if arguments.command == "progress":
        from provider.progress.follow import show

        return show(arguments.file, follow=arguments.follow, command=arguments.run)
    if arguments.command == "install":
        return install_into(arguments.mirror)
    return package_into(arguments.out, platforms=arguments.platform, pythons=arguments.python)


def install_into(mirror: Path) -> int:
    from provider.plugin import RELEASE
    from tfplugin.install import install

    print(install(RELEASE, mirror, root=ROOT))
    return 0


def package_into(out: Path, *, platforms: list[str] | None, pythons: list[Path] | None) -> int:
    from provider.plugin import RELEASE
    from tfplugin.archive import Contents, UnknownPython, package, pythons_found
    from tfplugin.install import platform_name
    from tfplugin.wheels import NoWheels

    contents = Contents(ROOT, packages=("provider", "tfplugin"), lock=ROOT / "provider" / "requirements.lock")
    try:
        found = pythons_found(pythons)
        for platform in platforms or [platform_name()]:
            archive = package(RELEASE, contents, out, platform=platform, pythons=found)
            versions = ", ".join(f"3.{minor}" for minor in found)
            print(f"{archive}  {archive.stat().st_size / 1e6:.1f} MB, bytecode for {versions}")
    except (NoWheels, UnknownPython) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
