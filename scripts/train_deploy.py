"""`make train-deploy`: every stack with the fine-tuning among them, then what came of it: metrics, version, verdict.

Safe to run again: an unchanged file trains nothing. Ctrl-C leaves the job running; the next run goes on with it.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from cdk.config import ConfigError, DeploymentConfig, load
from scripts.cdktf_run import STACKS, CdktfFailed, CdktfRun
from scripts.deployment import Deployment
from scripts.local_cloud import LocalCloudFailed
from scripts.machine import ROOT, MachineUnfit
from scripts.progress_line import ProgressFollower
from scripts.timeline import Timeline, clock

LOG = ROOT / ".flanstack" / "logs" / "cdktf-train-deploy.log"
PROGRESS = ROOT / ".flanstack" / "logs" / "progress.jsonl"


class TrainingOff(Exception):
    """The deployment has no fine-tuning; the message says how to turn it on."""


def deploy(config: DeploymentConfig, timeline: Timeline) -> None:
    """Raises TrainingOff, CdktfFailed, MachineUnfit and LocalCloudFailed."""
    if not config.training.enabled:
        raise TrainingOff(
            f"[training] of deployments/{config.env}.toml has enabled = false. Set it to true and run this again: then "
            "every deploy trains when the code, the settings or `run` changed, and the endpoint serves the tuned model "
            "if its metrics beat those of the one that serves (docs/fine-tuning.md)."
        )
    deployment = Deployment(config.env)
    if config.google.api_endpoint:
        with timeline.phase("local cloud"):
            deployment.local_cloud().start()
    with timeline.phase("cdktf deploy of every stack") as phase, ProgressFollower(PROGRESS, phase):
        run = CdktfRun(
            "deploy",
            log=LOG,
            on_step=lambda stack, step: phase.note(f"{stack}: {step}"),
            extra_environment={"FLAN_ENV": config.env, "FLANSTACK_PROGRESS_FILE": str(PROGRESS)},
        )
        run.run()
        phase.note("")
    for stack in STACKS:
        if stack in run.results:
            result = run.results[stack]
            timeline.say(f"      {stack:<32} {clock(result.seconds):>9}  {result.changes}")
    timeline.say(summary(deployment.outputs("training"), deployment.outputs("endpoint")))


def summary(training: dict[str, Any], endpoint: dict[str, Any]) -> str:
    metrics = training.get("metrics") or {}
    figures = {key: value.replace("_", ".") for key, value in metrics.items() if "_rouge" in key}
    lines = ["", f"  Job        {training.get('training_job')}", f"  Version    {training.get('model_version')}"]
    for split in ("eval", "test"):
        told = [f"{key.removeprefix(split + '_')} {value}" for key, value in figures.items() if key.startswith(split)]
        lines.append(f"  {split:<10} {', '.join(told) or 'no metrics'}")
    lines += [
        f"  Files      {training.get('model_folder')}",
        f"  Verdict    {endpoint.get('promotion_verdict', 'none')}",
    ]
    return "\n".join([*lines, f"  Predict    {endpoint.get('predict_url')}", ""])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.train_deploy", description=__doc__.splitlines()[0])
    parser.add_argument("env", nargs="?", default="local", help="file of deployments/ (default %(default)s)")
    arguments = parser.parse_args()
    try:
        deploy(load(arguments.env), Timeline())
    except KeyboardInterrupt:
        print("\nStopped; a job that was begun goes on, and costs money. Run this again to go on.", file=sys.stderr)
        return 130
    except CdktfFailed as error:
        print(f"\n{error}\n\nAll of it: {LOG}. Mend it and run this again.", file=sys.stderr)
        return 1
    except (ConfigError, TrainingOff, MachineUnfit, LocalCloudFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
