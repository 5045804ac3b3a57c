"""`make predict`: a random dialogue of the test split, its reference, and what the endpoint makes of it."""

from __future__ import annotations

import argparse
import secrets
import sys
import time

from cdk.config import ConfigError, DeploymentConfig, load
from scripts.deployment import Deployment
from scripts.google_api import GoogleApi, GoogleApiError
from scripts.predict.clients import Answer, NoPrediction, Target, by_rest, by_sdk
from scripts.predict.records import Record, random_record
from training.config.reading import BadConfig


def main() -> int:
    arguments = _arguments()
    try:
        config = load(arguments.env)
        target = _target(config)
        record = random_record(config.training, source=arguments.data, seed=arguments.seed)
        began = time.monotonic()
        answer = _asked(arguments.by, config, target, record)
    except (ConfigError, BadConfig, NoPrediction, GoogleApiError) as error:
        print(error, file=sys.stderr)
        return 1
    seconds = time.monotonic() - began
    print(f"Dialogue\n{_indented(record.text)}\n\nReference\n{_indented(record.reference)}\n")
    print(f"Prediction\n{_indented(answer.text)}\n")
    print(f"  by {arguments.by.upper()} in {seconds:.2f} s, from {answer.model} (deployed model ", end="")
    print(f"{answer.deployed_model_id}); --seed {arguments.seed} asks the same again")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.predict", description=__doc__)
    parser.add_argument("env", nargs="?", default="local", help="file of deployments/ (default %(default)s)")
    parser.add_argument("--by", choices=["rest", "sdk"], default="rest", help="plain HTTP, or Google's client library")
    parser.add_argument(
        "--data", help="another source than the task's: an id on the hub, a file, gs://…, or `generated`"
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="which record; default any")
    return parser.parse_args()


def _target(config: DeploymentConfig) -> Target:
    outputs = Deployment(config.env).outputs("endpoint")
    if "predict_url" not in outputs:
        cure = "make up" if config.google.api_endpoint else f"make deploy ENV={config.env}"
        raise NoPrediction(f"The endpoint of {config.env!r} is not deployed from here; run `{cure}` first.")
    return Target(outputs["predict_url"], outputs["endpoint_name"], config.google.access_token)


def _asked(by: str, config: DeploymentConfig, target: Target, record: Record) -> Answer:
    if by == "sdk":
        return by_sdk(target, record.prompt)
    api = GoogleApi(config.google)
    try:
        return by_rest(target, record.prompt, token=api.token)
    finally:
        api.close()


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


if __name__ == "__main__":
    sys.exit(main())
