"""The whole system in a copy of this checkout, on ports of its own, up once for all tests here."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scripts.machine import terraform_environment
from tests.provider.local_cloud import free_port_pair

ROOT = Path(__file__).resolve().parent.parent.parent
MAKES_OWN = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}


@dataclass
class System:
    """A checkout of its own. Commands run in it as a user would run them."""

    folder: Path
    port: int
    up_output: str = ""
    log: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *command: str, timeout: int = 300, check: bool = True) -> str:
        """Standard output and error of a command, escapes and empty lines taken out."""
        # inside `make test` a make would take itself for a part of it, and say so
        outside = {name: value for name, value in terraform_environment().items() if name not in MAKES_OWN}
        environment = outside | {
            "NO_COLOR": "1",
            "FORCE_COLOR": "0",
            "TF_PLUGIN_CACHE_DIR": str(self.folder / ".flanstack/plugin-cache"),
        }
        bins = [str(self.folder / ".venv/bin"), str(self.folder / "node_modules/.bin")]
        environment["PATH"] = os.pathsep.join([*bins, environment["PATH"]])
        out = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out.stdout)
        text = "\n".join(line for line in text.splitlines() if line.strip())
        assert not (check and out.returncode), f"{' '.join(command)} ended with {out.returncode}:\n{text}"
        return text

    def output(self, stack: str, name: str) -> str:
        return self.run("terraform", f"-chdir=cdktf.out/stacks/{stack}", "output", "-raw", name)


def copy_of_checkout(target: Path) -> None:
    """Every file git tracks or would track, as it is now; the installed environments as links."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    for name in (".venv", "node_modules"):
        (target / name).symlink_to(ROOT / name)


@pytest.fixture(scope="session")
def system(tmp_path_factory):
    if shutil.which("terraform") is None or not (ROOT / "node_modules").exists():
        pytest.skip("terraform and `make install` are needed for the whole system")
    folder = tmp_path_factory.mktemp("system") / "flanstack"
    copy_of_checkout(folder)
    system = System(folder, free_port_pair())
    deployment = folder / "deployments" / "local.toml"
    text = deployment.read_text()
    assert "127.0.0.1:8700" in text
    deployment.write_text(text.replace("127.0.0.1:8700", f"127.0.0.1:{system.port}"))
    for mirror in ("local", "cloud"):
        system.run(sys.executable, "-m", "provider", "install", "--mirror", f".flanstack/plugins/{mirror}")
    system.run(sys.executable, "-m", "localcloud.google_provider", "install", "--mirror", ".flanstack/plugins/local")
    try:
        system.up_output = system.run(sys.executable, "-m", "scripts.up", timeout=400)
        yield system
    finally:
        system.run(sys.executable, "-m", "scripts.down", timeout=300, check=False)
