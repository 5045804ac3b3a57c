"""What every container finds in its environment here, whichever service runs it.

A container gets its image's ENV and this, never the environment of whoever started the local cloud.
Knows nothing of AIP_* or K_*: the services add those.
"""

from __future__ import annotations

import sys
from pathlib import Path

# Of the starting environment only what a process needs to find libraries, folders and the time zone.
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def base_environment(image_env: dict[str, str], *, metadata_host: str, data_dir: Path) -> dict[str, str]:
    """metadata_host: `127.0.0.1:8700`, where google.auth finds the metadata server and so its identity.

    The image's own PATH names folders of its root, which is not mounted here: ours replaces it, with
    the interpreter's folder first so that `python` is the one that runs the local cloud.
    """
    config = data_dir / "gcloud"  # empty: nobody's own credentials leak into a container
    home = data_dir / "home"
    scratch = data_dir / "tmp"  # what a killed process leaves goes with the local cloud's data
    for folder in (config, home, scratch):
        folder.mkdir(parents=True, exist_ok=True)
    return {
        "LANG": "C.UTF-8",
        **image_env,
        "PATH": f"{Path(sys.executable).parent}:{_SYSTEM_PATH}",
        "HOME": str(home),
        "TMPDIR": str(scratch),
        "HOST": "127.0.0.1",
        "GCE_METADATA_HOST": metadata_host,
        "GCE_METADATA_IP": metadata_host,  # google.auth looks here whether there is a metadata server at all
        "CLOUDSDK_CONFIG": str(config),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
