"""`make up`: the local cloud, every stack through plain `cdktf deploy`, one prediction, and a summary.

Safe to run again at any time: what is there stays, what is missing is made. Ctrl-C leaves a state
that `make up` or `make down` goes on from.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import httpx

from cdk.config import ConfigError, load
from scripts.cdktf_run import STACKS, CdktfFailed, CdktfRun, StackResult
from scripts.deployment import Deployment
from scripts.doctor.finding import Level
from scripts.doctor.rounds import findings_of
from scripts.doctor.text import line
from scripts.local_cloud import LocalCloudFailed
from scripts.machine import ROOT, RUN_DISK_GB, MachineUnfit, check_disk, check_node, check_terraform
from scripts.progress_line import ProgressFollower
from scripts.timeline import Timeline, clock

LOG = ROOT / ".flanstack" / "logs" / "cdktf-deploy.log"
PROGRESS = ROOT / ".flanstack" / "logs" / "progress.jsonl"
PROMPT = (
    "summarize: Anna: Hi Tom, can you pick up the cake from the bakery at five?\n"
    "Tom: Sure, which bakery?\nAnna: The one on Mill Street. Thanks!"
)
HOURS_PER_MONTH = 730


class SystemUnwell(Exception):
    """A deploy would fail, or an answer is missing or wrong after it; the message says which and where to look."""


def examine_first(env: str) -> None:
    """SystemUnwell when the doctor knows that the deploy would fail. What may be well is not told here."""
    if wrong := [one for one in findings_of(load(env)) if one.level is Level.FAILURE]:
        raise SystemUnwell("\n".join(map(line, wrong)))


def deploy(timeline: Timeline) -> dict[str, StackResult]:
    with timeline.phase("cdktf deploy of every stack") as phase, ProgressFollower(PROGRESS, phase):
        run = CdktfRun(
            "deploy",
            log=LOG,
            on_step=lambda stack, step: phase.note(f"{stack}: {step}"),
            extra_environment={"FLANSTACK_PROGRESS_FILE": str(PROGRESS)},
        )
        run.run()
        phase.note("")
    for stack in STACKS:
        if stack in run.results:
            result = run.results[stack]
            timeline.say(f"      {stack:<32} {clock(result.seconds):>9}  {result.changes}")
    return run.results


def predict(url: str, *, timeout_s: float = 60) -> str:
    """One real prediction through the endpoint. SystemUnwell when the answer is not one."""
    try:
        answer = httpx.post(url, json={"instances": [PROMPT]}, timeout=timeout_s)
    except httpx.HTTPError as error:
        raise SystemUnwell(f"The endpoint {url} does not answer: {error}") from error
    if answer.status_code != 200:
        raise SystemUnwell(f"The endpoint answered {answer.status_code}: {answer.text[:500]}")
    predictions = answer.json()["predictions"]
    if len(predictions) != 1 or not isinstance(predictions[0], str) or not predictions[0]:
        raise SystemUnwell(f"The endpoint's answer is no prediction: {answer.text[:500]}")
    return str(predictions[0])


def open_page(url: str, *, timeout_s: float = 60) -> None:
    """Waits until the page answers. SystemUnwell when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if httpx.get(url, timeout=10, follow_redirects=True).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        if time.monotonic() > deadline:
            raise SystemUnwell(f"The UI at {url} does not answer; its log is under .flanstack/localcloud/logs/.")
        time.sleep(0.3)


def summary(deployment: Deployment, answer: str, results: dict[str, StackResult], elapsed: float) -> str:
    cloud = deployment.local_cloud()
    outputs: dict[str, Any] = {stack: deployment.outputs(stack) for stack in STACKS}
    body = json.dumps({"instances": [PROMPT]}).replace("'", "'\\''")
    hourly = float(outputs["endpoint"]["price_usd_per_hour"])
    server = docs_url(cloud.status() or {})
    lines = [
        "",
        f"  The system is up, after {clock(elapsed)}: {deployment.resources()} resources in {len(results)} stacks.",
        "",
        f"  UI         {outputs['ui']['ui_url']}",
        f"  Predict    {outputs['endpoint']['predict_url']}",
        f"  API docs   {server}",
        f"  Cloud      {cloud.url}/localcloud/status",
        "",
        "  Ask it yourself:",
        f"    curl -s {outputs['endpoint']['predict_url']} \\",
        f"      -H 'Content-Type: application/json' -d '{body}'",
        f"  It answered: {answer}",
        "",
        f"  Image      {outputs['model']['image_uri']}",
        f"  Model      {outputs['model']['model_name']} (version {outputs['model']['model_version']})",
        "",
        f"  The same on Google Cloud: USD {hourly:.2f} per hour, {hourly * 24:.2f} per day, "
        f"{hourly * HOURS_PER_MONTH:,.0f} per month while it runs.",
        "  Here it costs nothing. `make down` takes it all away.",
    ]
    return "\n".join(lines)


def docs_url(status: dict[str, Any]) -> str:
    """The OpenAPI page of the first serving process."""
    for process in status.get("processes", []):
        if process["name"].startswith("vertex/"):
            return f"http://127.0.0.1:{process['port']}/docs"
    return "(no serving process)"


def up(timeline: Timeline, deployment: Deployment) -> None:
    check_terraform()
    check_node()
    check_disk(RUN_DISK_GB)
    cloud = deployment.local_cloud()
    with timeline.phase("local Google Cloud") as phase:
        phase.note("started" if cloud.start() else "was running")
    with timeline.phase("doctor"):
        examine_first(deployment.env)
    results = deploy(timeline)
    with timeline.phase("one prediction"):
        answer = predict(str(deployment.outputs("endpoint")["predict_url"]))
    with timeline.phase("the UI page"):
        open_page(str(deployment.outputs("ui")["ui_url"]))
    timeline.say(summary(deployment, answer, results, time.monotonic() - timeline.started))


def main() -> int:
    timeline = Timeline()
    try:
        up(timeline, Deployment("local"))
    except KeyboardInterrupt:
        print(
            "\nStopped; what was made is kept. `make up` goes on from here, `make down` takes it away.", file=sys.stderr
        )
        return 130
    except CdktfFailed as error:
        print(f"\n{error}\n\nAll of it: {LOG}. Mend it and run `make up` again.", file=sys.stderr)
        return 1
    except (ConfigError, MachineUnfit, LocalCloudFailed, SystemUnwell) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
