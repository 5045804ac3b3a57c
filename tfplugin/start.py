"""Starts a provider out of its unpacked archive: `start.py MODULE`. Lies there beside `lib/`.

Keeps to what Python 3.6 can read, so that an old Python says which ones it needs. It says so in one line of standard
output: of a plugin that does not come up Terraform shows that line, and hides the standard error.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Nothing of the user's own packages, and no bytecode written into a folder whose checksum Terraform verifies.
FLAGS = ["-I", "-S", "-B"]


def main() -> int:
    module = sys.argv.pop(1)
    minors = sorted(int(path.name[3:]) for path in (HERE / "lib").glob("cp3*"))
    major, minor = sys.version_info[:2]
    if major != 3 or minor not in minors:
        other = other_python(minors)
        if other:
            os.execv(other, [other, *FLAGS, str(HERE / "start.py"), module, *sys.argv[1:]])  # noqa: S606
        return refuse(minors)
    sys.path[:0] = [str(HERE / "lib" / "any"), str(HERE / "lib" / f"cp3{minor}")]
    try:
        provider = __import__(f"{module}.__main__", fromlist=["main"])
        return int(provider.main())
    except ImportError as error:
        why = " ".join(str(error).split())
        sys.stdout.write(f"The provider's libraries do not load here: {why}. {HERE}/README.md says what they need.\n")
        return 1


def other_python(minors: "list[int]") -> "str | None":
    """A Python on the PATH that fits, and that really runs (a version manager's shim may not)."""
    for minor in reversed(minors):
        path = shutil.which(f"python3.{minor}")
        if path:
            asked = [path, "-I", "-S", "-c", "import sys; print(sys.version_info[1])"]
            answer = subprocess.run(asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
            if answer.strip() == str(minor).encode():
                return path
    return None


def refuse(minors: "list[int]") -> int:
    have = f"{sys.executable} is Python {sys.version.split()[0]}"
    need = f"This provider needs Python 3.{minors[0]} to 3.{minors[-1]}"
    sys.stdout.write(f"{need}; {have}. Install one of them, or set FLANSTACK_PYTHON to its path.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
