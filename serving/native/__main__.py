"""Compiles the kernels beforehand, for images and new checkouts: python -m serving.native [--all]

Without --all: for this machine, into the user's cache; exits 0 also where they cannot be compiled, and says why the
server will then run without them. With --all: for every kind of machine, beside the sources; fails if it cannot.
"""

from __future__ import annotations

import argparse
import sys

from serving.native.build import BUILT, LEVELS, NoLibrary, build, find_or_build


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m serving.native", description=__doc__)
    parser.add_argument("--all", action="store_true", help="for every kind of machine, into serving/native/built")
    try:
        if parser.parse_args().all:
            for level in LEVELS:
                print(build(BUILT, level=level))
        else:
            print(find_or_build())
    except NoLibrary as error:
        print(f"kernels: {error}", file=sys.stderr)
        return 1 if "--all" in sys.argv else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
