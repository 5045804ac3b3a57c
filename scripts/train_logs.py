"""`make train-logs`: the event files of the newest training, out of its bucket, in TensorBoard on this machine."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from google.api_core.exceptions import GoogleAPIError
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage

from cdk.config import ConfigError, DeploymentConfig, load
from scripts.deployment import Deployment
from scripts.machine import ROOT


class NoLogs(Exception):
    """Nothing to show; the message says why."""


def fetch(config: DeploymentConfig) -> Path:
    """The folder with the event files. Raises NoLogs."""
    model = Deployment(config.env).outputs("training").get("model_folder")
    if not model:
        raise NoLogs(f"{config.env!r} has no training deployed from here; see docs/fine-tuning.md")
    bucket, _, prefix = f"{str(model).removeprefix('gs://').removesuffix('/model')}/logs/".partition("/")
    folder = ROOT / ".flanstack" / "tensorboard" / config.env / prefix.split("/")[-3]
    credentials = None
    if config.google.api_endpoint:
        os.environ["STORAGE_EMULATOR_HOST"], credentials = config.google.api_endpoint, AnonymousCredentials()
    try:
        client = storage.Client(project=config.google.project, credentials=credentials)
        blobs = [blob for blob in client.list_blobs(bucket, prefix=prefix) if not blob.name.endswith("/")]
        for blob in blobs:
            path = folder / blob.name.removeprefix(prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            blob.download_to_filename(str(path))
    except (GoogleAPIError, GoogleAuthError, OSError) as error:
        raise NoLogs(f"gs://{bucket}/{prefix} cannot be read: {error}") from error
    if not blobs:
        raise NoLogs(f"gs://{bucket}/{prefix} has no file yet")
    return folder


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.train_logs", description=__doc__)
    parser.add_argument("env", nargs="?", default="local", help="file of deployments/ (default %(default)s)")
    parser.add_argument("--fetch", action="store_true", help="fetch them, print where they are, start nothing")
    arguments = parser.parse_args()
    try:
        folder = fetch(load(arguments.env))
    except (ConfigError, NoLogs) as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.fetch:
        print(folder)
        return 0
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--bind_all=false", "--port", "0"]
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
