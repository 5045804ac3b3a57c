"""`make down`: `cdktf destroy` of every stack, then the local cloud stops, and a proof that nothing is left."""

from __future__ import annotations

import sys
from typing import Any

from scripts.cdktf_run import CdktfFailed, CdktfRun, destroy
from scripts.deployment import Deployment
from scripts.local_cloud import LocalCloudFailed, is_alive
from scripts.machine import ROOT, MachineUnfit, port_is_taken
from scripts.timeline import Timeline

LOG = ROOT / ".flanstack" / "logs" / "cdktf-destroy.log"
# What a destroy leaves on purpose, as Google keeps it too: history, not something that runs or costs.
HISTORY = {"operation", "build", "journal"}


class SomethingLeft(Exception):
    """A resource or a process is still there; the message names it."""


def down(timeline: Timeline, deployment: Deployment) -> None:
    cloud = deployment.local_cloud()
    if cloud.status() is None and deployment.resources() == 0:
        timeline.say("  Nothing is up: no local cloud answers and the state holds no resource.")
        return
    with timeline.phase("local Google Cloud") as phase:
        phase.note("started, to destroy what its state holds" if cloud.start() else "is running")
    running = pids_of(cloud.status() or {})
    if deployment.resources():
        with timeline.phase("cdktf destroy of four stacks") as phase:
            destroy(
                lambda variables: CdktfRun(
                    "destroy",
                    log=LOG,
                    on_step=lambda stack, step: phase.note(f"{stack}: {step}"),
                    extra_environment=variables,
                )
            )
            phase.note("")
    status = cloud.status() or {}
    with timeline.phase("local cloud stops"):
        running |= set(cloud.stop())
    if deployment.resources():
        raise SomethingLeft(f"The state still holds {deployment.resources()} resources: {deployment.state_dir}")
    if status.get("processes"):
        raise SomethingLeft(f"After the destroy these still ran (they are stopped now): {status['processes']}")
    if left := sorted(pid for pid in running if is_alive(pid)):
        raise SomethingLeft(f"These processes are still there: {left}")
    records = {kind: count for kind, count in status.get("resources", {}).items() if count and kind not in HISTORY}
    for port in (cloud.port, cloud.port + 1):
        if port_is_taken(port):
            raise SomethingLeft(f"Something still listens on port {port}.")
    kept = ", ".join(f"{count} {kind}" for kind, count in sorted(records.items())) or "no record"
    timeline.say(
        f"\n  All is down: 0 resources in the state, {len(running)} processes ended, none left, ports {cloud.port} and "
        f"{cloud.port + 1} free.\n  The local cloud keeps {kept} in {cloud.data_dir.relative_to(ROOT)}."
    )


def pids_of(status: dict[str, Any]) -> set[int]:
    """The local cloud's process and every container's, as its status names them."""
    found = {process["pid"] for process in status.get("processes", []) if process.get("pid")}
    return found | ({status["pid"]} if status else set())


def main() -> int:
    timeline = Timeline()
    try:
        down(timeline, Deployment("local"))
    except KeyboardInterrupt:
        print("\nStopped. `make down` goes on from here.", file=sys.stderr)
        return 130
    except CdktfFailed as error:
        print(f"\n{error}\n\nAll of it: {LOG}. The local cloud still runs; run `make down` again.", file=sys.stderr)
        return 1
    except (MachineUnfit, LocalCloudFailed, SomethingLeft) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
