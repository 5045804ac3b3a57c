"""`make pin-weights ENV=prod`: writes the checkpoint's sha256 sums into deployments/ENV.toml.

The sums come from where the weights are (a hub's own metadata, or a folder of this repo); review
the diff like any other pin. The rest of the file stays as it is, comments included.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

import tomlkit

from scripts.machine import ROOT


def sums_of(source: str) -> dict[str, str]:
    """name -> `sha256:…` as `serving/weights.py pin` prints them."""
    out = subprocess.run(
        [sys.executable, "serving/weights.py", "pin", "--source", source], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    if out.returncode:
        raise SystemExit(out.returncode)
    return {str(name): str(value) for name, value in tomlkit.parse(out.stdout).items()}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make pin-weights", description=__doc__.splitlines()[0])
    parser.add_argument("env", help="the deployment: deployments/ENV.toml")
    path = ROOT / "deployments" / f"{parser.parse_args().env}.toml"
    document = tomlkit.parse(path.read_text())
    weights = document["model"]["weights"]  # type: ignore[index]
    found = sums_of(str(weights["source"]))  # type: ignore[index]
    files = weights["files"]  # type: ignore[index]
    missing = sorted(set(files) - set(found))  # type: ignore[arg-type]
    if missing:
        print(f"{weights['source']} has no {', '.join(missing)}; {path} lists them.", file=sys.stderr)  # type: ignore[index]
        return 1
    changed = [name for name in files if files[name] != found[name]]  # type: ignore[union-attr, index]
    for name in changed:
        files[name] = found[name]  # type: ignore[index]
    path.write_text(tomlkit.dumps(document))
    print(f"{path.relative_to(ROOT)}: {len(changed)} of {len(files)} sums changed.")  # type: ignore[arg-type]
    return 0


if __name__ == "__main__":
    sys.exit(main())
