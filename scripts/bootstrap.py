"""`make bootstrap ENV=prod`: the bucket that keeps Terraform's state, made once, before the first deploy.

Versioned, private, uniform access: a state can be brought back, and nobody reads it by accident. Running it again
changes nothing.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from cdk.config import ConfigError, DeploymentConfig, load


def state_bucket(config: DeploymentConfig, client: Any) -> bool:
    """Makes the bucket unless it is there. True when this call made it."""
    from google.api_core.exceptions import NotFound

    name = config.terraform.state_bucket
    try:
        client.get_bucket(name)
    except NotFound:
        bucket = client.bucket(name)
        bucket.versioning_enabled = True
        bucket.iam_configuration.uniform_bucket_level_access_enabled = True
        bucket.iam_configuration.public_access_prevention = "enforced"
        client.create_bucket(bucket, location=config.google.region)
        return True
    return False


def storage_client(config: DeploymentConfig) -> Any:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    google = config.google
    if google.api_endpoint:
        options = {"api_endpoint": google.api_endpoint}
        return storage.Client(project=google.project, credentials=AnonymousCredentials(), client_options=options)
    return storage.Client(project=google.project)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bootstrap", description=__doc__.splitlines()[0])
    parser.add_argument("env", help="the deployment: deployments/ENV.toml")
    try:
        config = load(parser.parse_args().env)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    if config.terraform.state_bucket is None:
        print(
            f"deployments/{config.env}.toml names no terraform.state_bucket: its state is a file here. Nothing to make."
        )
        return 0
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    try:
        made = state_bucket(config, storage_client(config))
    except GoogleAuthError as error:
        print(f"No Google credentials: {error}\nRun `gcloud auth application-default login`.", file=sys.stderr)
        return 1
    except GoogleAPIError as error:
        print(f"gs://{config.terraform.state_bucket} cannot be made: {error}", file=sys.stderr)
        return 1
    print(f"gs://{config.terraform.state_bucket} {'is made' if made else 'was there'} ({config.google.region}).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
