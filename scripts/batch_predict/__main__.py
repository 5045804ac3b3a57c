"""`make batch-predict IN=file.jsonl OUT=results.jsonl`: a model over every line of a file, without an endpoint.

A second run goes on: with a job that still runs, and with the lines that have no prediction yet. Lines that failed in a
batch are sent once more one by one, so that a line that the model refuses takes no other with it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from cdk.config import ConfigError, DeploymentConfig, load
from cdk.naming import bucket_name
from scripts.batch_predict.jobs import GOING_ON, Batch, BatchFailed, BatchJobs
from scripts.batch_predict.ledger import BadInput, Ledger
from scripts.deployment import Deployment

NUM_SHOWN = 5
KEY_DIGITS = 16
PREFIX = "JOB_STATE_"


def main() -> int:
    arguments = _arguments()
    try:
        config = load(arguments.env)
        ledger = _ledger(arguments)
        if ledger.open:
            _run(BatchJobs(config), config, arguments, ledger)
    except (ConfigError, BadInput, BatchFailed, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped; the job goes on. The same command goes on with it.", file=sys.stderr)
        return 130
    return _report(ledger, arguments.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.batch_predict", description=__doc__.splitlines()[0])
    parser.add_argument("env", nargs="?", default="local", help="file of deployments/ (default %(default)s)")
    parser.add_argument("--in", dest="source", type=Path, required=True, help="a JSON value per line: an instance each")
    parser.add_argument("--out", type=Path, required=True, help="results, a line for each line of the input")
    parser.add_argument("--model", help="projects/…/models/M@VERSION (default: what the endpoint serves)")
    parser.add_argument("--folder", help="gs://… for input and output (default: batches/ of the staging bucket)")
    parser.add_argument("--replicas", type=int, default=1, help="machines that share the lines (default %(default)s)")
    parser.add_argument("--batch-size", type=int, default=16, help="lines in one request (default %(default)s)")
    parser.add_argument("--parameters", type=json.loads, default={}, help='of generation: {"max_new_tokens": 64}')
    parser.add_argument("--fresh", action="store_true", help="take nothing over from jobs of earlier runs")
    return parser.parse_args()


def _ledger(arguments: argparse.Namespace) -> Ledger:
    """The input's lines, with the predictions that an earlier run has left in the results."""
    with arguments.source.open(encoding="utf-8") as lines:
        ledger = Ledger.of(lines)
    if arguments.out.exists():
        with arguments.out.open(encoding="utf-8") as results:
            count = ledger.resume(results)
        print(f"{arguments.out} has {count} of {len(ledger.lines)} predictions already")
    return ledger


def _run(jobs: BatchJobs, config: DeploymentConfig, arguments: argparse.Namespace, ledger: Ledger) -> None:
    batch = _batch(config, arguments)
    key = _key(batch, ledger)
    for job in [] if arguments.fresh else jobs.earlier(key):
        print(f"an earlier run began {job.name}")
        _take(jobs, job, ledger, arguments.out)
    for part, size in enumerate((batch.batch_size, 1)):
        if not ledger.open:
            return
        instances = [line.instance for line in ledger.open]
        job = jobs.submit(replace(batch, batch_size=size), instances, key=key, part=part)
        print(f"{len(instances)} lines: {job.name}")
        _take(jobs, job, ledger, arguments.out)
        if not ledger.failed or 1 in (size, len(instances)):
            return
        print(f"{len(ledger.failed)} lines failed; once more, one by one")


def _take(jobs: BatchJobs, job: Any, ledger: Ledger, out: Path) -> None:
    """Waits for the end of a job, and writes what it found."""
    before = len(ledger.open)
    with tqdm(total=before, unit="line", disable=None) as bar:
        job = jobs.follow(job, tell=lambda seen: _show(bar, seen))
    ledger.book(jobs.told(job))
    _write(ledger, out)
    if job.error.message and len(ledger.open) == before:
        print(f"{job.name} ended as {job.state.name.removeprefix(PREFIX)}: {job.error.message}", file=sys.stderr)


def _batch(config: DeploymentConfig, arguments: argparse.Namespace) -> Batch:
    model = arguments.model or _served(config)
    folder = arguments.folder or f"gs://{bucket_name(config, 'staging')}/batches"
    return Batch(model, folder.rstrip("/"), arguments.replicas, arguments.batch_size, arguments.parameters)


def _served(config: DeploymentConfig) -> str:
    """The model version that the deployment has: the tuned one where there is one."""
    deployment = Deployment(config.env)
    tuned = deployment.outputs("training").get("model_version") if config.training.enabled else None
    base = deployment.outputs("model")
    if not tuned and "model_name" not in base:
        raise BatchFailed(f"{config.env!r} has no model deployed from here; name one with --model, or run `make up`.")
    return str(tuned or f"{base['model_name']}@{base['model_version']}")


def _key(batch: Batch, ledger: Ledger) -> str:
    """The same for the same model and lines: a run that was cut short is found again by it."""
    parts = [batch.model, batch.parameters, [line.instance for line in ledger.lines]]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:KEY_DIGITS]


def _show(bar: Any, job: Any) -> None:
    stats = job.completion_stats
    done = stats.successful_count + stats.failed_count
    bar.set_description(job.state.name.removeprefix(PREFIX).lower())
    if job.state in GOING_ON or done:
        bar.update(max(done - bar.n, 0))


def _write(ledger: Ledger, out: Path) -> None:
    """The results as a whole, or as they were."""
    fresh = out.with_name(f"{out.name}.new")
    with fresh.open("w", encoding="utf-8") as results:
        results.writelines(ledger.results())
    fresh.replace(out)


def _report(ledger: Ledger, out: Path) -> int:
    num_done = len(ledger.lines) - len(ledger.open)
    print(f"{out}: {num_done} of {len(ledger.lines)} lines have a prediction")
    for line in ledger.open[:NUM_SHOWN]:
        print(f"  line {line.number}: {line.error or 'not answered'}", file=sys.stderr)
    if rest := len(ledger.open) - NUM_SHOWN if len(ledger.open) > NUM_SHOWN else 0:
        print(f"  and {rest} more; {out} has each", file=sys.stderr)
    return 1 if ledger.open else 0


if __name__ == "__main__":
    sys.exit(main())
