"""A deployed model brought up, proved, given its traffic step by step, and its predecessor taken down.

Every method looks at the endpoint first and goes on from what it finds: after a kill at any point the same
calls end in the same place. Knows endpoints; knows nothing of Terraform's states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from provider.api import ApiError, JsonObject
from provider.deployed_model import traffic
from provider.deployed_model.endpoint import Endpoint, deployed_of, is_taken, split_of
from provider.deployed_model.golden import Golden, GoldenWrong
from provider.deployed_model.traffic_steps import Step
from provider.failures.operation import asking
from provider.operations import OperationFailed, Poll
from provider.progress.phases import Progress
from tfplugin.resource import PluginError

# What a golden prediction may cost: the share of real traffic that a new one has before it has answered right.
PROBE_PERCENT = 5
METRICS_LAG_S = 240.0  # Cloud Monitoring shows a request up to so much later
REDEPLOYED = ("displayName", "serviceAccount", "enableAccessLogging", "disableContainerLogging", "dedicatedResources")


class Unfit(Exception):
    """The new deployed model must not have the traffic; the message says why."""


@dataclass
class Rollout:
    """One deployed model on its way to `share` percent of an endpoint.

    body: Google's DeployedModel without `id`. url: where predictions are sent. drain_s: how long a predecessor
    without traffic stays for what it still answers. operation: the deployment's, once it is begun.
    """

    endpoint: Endpoint
    progress: Progress
    number: str
    body: JsonObject
    share: int
    url: str
    warn: Callable[[str, str], None]
    steps: Sequence[Step] = ()
    golden: Golden | None = None
    drain_s: float = 0.0
    deploy_timeout_s: float = 7200.0
    undeploy_timeout_s: float = 1800.0
    operation: str | None = None

    def begin(self, *, split: traffic.Split) -> None:
        """Starts the deployment, or joins one of this id that runs already; neither when it is deployed by now.

        split: the endpoint's traffic afterwards, `"0"` being the new one; empty: as it was.
        """
        if self._is_deployed():
            return
        self.progress.phase("REQUESTED")
        try:
            with asking(self.progress, self.endpoint.name):
                self.operation = self.endpoint.start_deploy({"id": self.number, **self.body}, split)["name"]
            return
        except ApiError as error:
            if not is_taken(error, self.number):
                raise
            running = self.endpoint.deployments()
            if not running and deployed_of(self.endpoint.get(), self.number) is None:
                raise
        self.progress.phase("JOINED", "an earlier apply began it")
        self.operation = running[-1]["name"] if running else None

    def finish(self) -> JsonObject:
        """Waits for the deployment. The endpoint, with it. OperationFailed when Google could not bring it up."""
        if self.operation is not None:
            try:
                self.endpoint.wait({"name": self.operation}, timeout_s=self.deploy_timeout_s, progress=self.progress)
            except ApiError as error:
                if error.status != 404:  # Google forgets operations; the endpoint tells what became of this one
                    raise
        shown = self.endpoint.get()
        if deployed_of(shown, self.number) is None:
            raise PluginError(
                f"Deployed model {self.number} is not there", f"{self.endpoint.name} does not list it. Plan again."
            )
        return shown

    def take_over(self, old: str | None) -> None:
        """Moves the share to the new one, step by step. Raises Unfit, with the traffic as the last step had it."""
        asked = self.golden is None or self.share == 0
        for step in self._steps() if old is not None and self.share > 0 else [Step(100)]:
            shown = self.endpoint.get()
            split = split_of(shown)
            if old is not None and step.percent < _held(split, self.number, old):
                continue  # an earlier apply has come further
            self._give(shown, split, old, step.percent)
            if not asked:
                self._ask()
                asked = True
            self._hold(step)

    def give_back(self, old: str) -> None:
        """All of the share to the old one again, and the new one down."""
        self.progress.phase("ROLLING_BACK")
        shown = self.endpoint.get()
        split = traffic.divided(split_of(shown), new=self.number, old=old, share=self.share, percent=0)
        self.endpoint.set_split(shown, split)
        self.take_down(self.number)

    def take_back(self, strays: Sequence[str]) -> None:
        """What traffic others of the same resource have: a replacement that is wanted no more."""
        for stray in strays:
            shown = self.endpoint.get()
            split = split_of(shown)
            if split.get(stray, 0):
                wanted = traffic.divided(split, new=self.number, old=stray, share=self.share, percent=100)
                self.endpoint.set_split(shown, wanted)

    def take_down(self, number: str) -> None:
        """Undeploys, once what it still answers had time to end."""
        if deployed_of(self.endpoint.find() or {}, number) is None:
            return
        self.progress.phase(f"DRAINING {number}")
        self.progress.wait(self.endpoint.stop, self.drain_s)
        self.progress.phase(f"UNDEPLOYING {number}")
        self.endpoint.undeploy(number, timeout_s=self.undeploy_timeout_s, progress=self.progress)
        self.progress.phase(f"UNDEPLOYED {number}")

    def instead_of(self, old: str) -> None:
        """The old one down first, then the new one up; the old one again when the new one cannot be brought up."""
        shown = self.endpoint.get()
        was, before = deployed_of(shown, old), split_of(shown)
        self.take_down(old)
        try:
            self.begin(split=self._split_of_new())
            self.finish()
            self.take_over(None)
        except Unfit as error:
            raise Unfit(f"{error}. {self._restored(was, before)}") from error
        except OperationFailed as error:
            error.detail += f"\n{self._restored(was, before)}"
            raise

    def _is_deployed(self) -> bool:
        """PluginError when the id is another's."""
        found = deployed_of(self.endpoint.get(), self.number)
        if found is None:
            return False
        model = f"{str(found['model']).partition('@')[0]}@{found.get('modelVersionId', '')}"
        ours = str(self.body["model"])
        if ours.split("/", 2)[2] != model.split("/", 2)[2]:
            raise PluginError(
                f"The id {self.number} is taken",
                f"{self.endpoint.name} has {model} under it, and {ours} was to be deployed. Set deployed_model_id to "
                "another number, or undeploy what is there.",
            )
        self.progress.phase("ADOPTED", "it is deployed already")
        return True

    def _steps(self) -> list[Step]:
        declared = list(self.steps)
        if self.golden is not None and (not declared or declared[0].percent == 100):
            declared.insert(0, Step(PROBE_PERCENT))
        return declared if declared and declared[-1].percent == 100 else [*declared, Step(100)]

    def _give(self, shown: JsonObject, split: traffic.Split, old: str | None, percent: int) -> None:
        if old is None:
            self.endpoint.set_traffic(shown, self.number, self.share, warn=self.warn)
            return
        self.progress.phase(f"TRAFFIC {percent} %", f"to {self.number}, the rest to {old}")
        wanted = traffic.divided(split, new=self.number, old=old, share=self.share, percent=percent)
        self.endpoint.set_split(shown, wanted)

    def _ask(self) -> None:
        if self.golden is None:
            return
        self.progress.phase("GOLDEN_PREDICTION")
        try:
            with self.progress.heartbeats():
                text = self.golden.ask(self.endpoint.api, self.url, self.number, stop=self.endpoint.stop)
        except GoldenWrong as error:
            raise Unfit(str(error)) from error
        self.progress.phase("GOLDEN_RIGHT", text[:80])

    def _hold(self, step: Step) -> None:
        """Lets a step last, and judges it."""
        if not step.wait_s:
            return
        begun = datetime.now(UTC)
        self.progress.phase(f"WATCHING {step.percent} %", f"for {step.wait_s:g} s")
        self.progress.wait(self.endpoint.stop, step.wait_s)
        if step.has_gate:
            self._judge(step, begun, datetime.now(UTC))

    def _judge(self, step: Step, begun: datetime, ended: datetime) -> None:
        from provider.endpoint_metrics.metrics import EndpointMetrics

        metrics = EndpointMetrics(self.endpoint.api, self.endpoint.stop)
        poll = Poll(METRICS_LAG_S, self.endpoint.stop)
        while True:
            seen = metrics.window(self.endpoint.name, self.number, begun, ended + timedelta(seconds=1))
            if seen.count:
                break
            if poll.is_over:
                self.warn(
                    f"Nobody asked deployed model {self.number} while it had {step.percent} %",
                    "Its error rate and latency could not be judged; the next step was taken. Let `wait` be longer.",
                )
                return
            poll.pause()
        complaint = step.complaint(error_rate=seen.errors / seen.count, p95_ms=seen.p95_ms)
        if complaint is not None:
            raise Unfit(f"With {step.percent} % of the traffic ({seen.count} predictions) {complaint}")
        self.progress.phase(f"FIT AT {step.percent} %", f"{seen.count} predictions, {seen.errors} failed")

    def _split_of_new(self) -> traffic.Split:
        return traffic.with_share(split_of(self.endpoint.get()), "0", self.share)

    def _restored(self, was: JsonObject | None, before: traffic.Split) -> str:
        """Brings the old one back under its id, with its traffic; says how that went."""
        if was is None:
            return "Nothing serves: its predecessor was gone before."
        number, version = str(was["id"]), was.get("modelVersionId")
        body = {key: was[key] for key in REDEPLOYED if key in was}
        body["model"] = f"{str(was['model']).partition('@')[0]}@{version}" if version else was["model"]
        self.progress.phase("ROLLING_BACK")
        try:
            self.endpoint.undeploy(self.number, timeout_s=self.undeploy_timeout_s, progress=self.progress)
            old = replace(self, number=number, body=body, share=before.get(number, self.share), operation=None)
            old.begin(split=old._split_of_new())
            old.finish()
        except PluginError as error:
            return f"Deployed model {number} could not be brought back either, and nothing serves: {error.summary}."
        return f"Deployed model {number} was brought back and serves again."


def _held(split: traffic.Split, new: str, old: str) -> int:
    """The percent that the new one has of what both have."""
    both = split.get(new, 0) + split.get(old, 0)
    return 100 * split.get(new, 0) // both if both else 0
