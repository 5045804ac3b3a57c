"""`vertex_custom_job`: a training job that ran to its end.

A job cannot be changed, so every change is a new one. Its request's hash is a label of it: whatever happens to an
apply, the next one finds the job that was begun. One that was cut short is kept in the state it had: the next plan
takes it up. Knows nothing of what a job does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from provider import duration
from provider.api import Api, ApiError
from provider.custom_job.document import (
    BAD,
    PREFIX,
    REQUEST_LABEL,
    SUCCEEDED,
    from_api,
    outcome,
    output_uri,
    to_api,
)
from provider.custom_job.evaluation import metric_labels
from provider.custom_job.jobs import CustomJobs
from provider.custom_job.schema import CREATE_TIMEOUT, DELETE_TIMEOUT, SCHEMA, problems
from provider.names import location_of, project_of
from provider.operations import OperationFailed, cut_short
from provider.progress.phases import Progress
from tfplugin.resource import Context, PluginError, Problem, Stopped
from tfplugin.schema import Schema
from tfplugin.values import UNKNOWN, State

# What a job that goes on will still tell.
LEARNED = ("state", "start_time", "end_time", "error", "metric_labels")


@dataclass
class CustomJob:
    """The resource type."""

    api: Api
    type_name: str = "vertex_custom_job"
    schema: Schema = field(default=SCHEMA)
    adopted: set[str] = field(default_factory=set)  # names of jobs that this run took over

    def validate(self, config: State) -> Sequence[Problem]:
        return [*duration.problems(config), *problems(config)]

    def plan(self, context: Context, prior: State | None, planned: State, config: State) -> State:
        for name, default in (("project", self.api.settings.project), ("location", self.api.settings.region)):
            if planned[name] is UNKNOWN and config[name] is None:
                planned[name] = default
        if planned["base_output_directory"] is not UNKNOWN:
            planned["output_uri"] = output_uri(planned["base_output_directory"])
        if prior is None or prior["state"] == SUCCEEDED:
            return planned
        planned |= dict.fromkeys(LEARNED, UNKNOWN)
        if prior["state"] in BAD:  # another name: a new job in its place
            planned |= dict.fromkeys(("id", "name", "create_time"), UNKNOWN)
        return planned

    def create(self, context: Context, planned: State) -> State:
        jobs, body, progress = self._jobs(context, planned), to_api(planned), self._progress(planned)
        job = jobs.alike(body["labels"][REQUEST_LABEL])
        if job is None:
            progress.phase("SUBMITTING")
            job = jobs.submit(body)
        else:
            progress.phase("ADOPTED", f"{job['name']} has the same request: none is submitted")
        name = f"{jobs.parent}/customJobs/{job['name'].rpartition('/')[2]}"
        if progress.phase_now == "ADOPTED":
            self.adopted.add(name)
        known = planned | {"id": name, "name": name, "output_uri": output_uri(planned["base_output_directory"])}
        known |= outcome(job) | {"metric_labels": None}
        try:
            return self._evaluated(context, self._ended(jobs, known, progress))
        except OperationFailed:
            raise
        except (PluginError, Stopped) as error:
            # A warning, for an error would taint, and Terraform would replace what only has to be waited for.
            context.warn(
                f"{cut_short(error)} while custom job {name} goes on ({progress.phase_now})",
                "Vertex AI goes on with it, and it costs money. Apply again: the next apply waits for its end. "
                "Destroying cancels it.",
            )
            return known

    def _ended(self, jobs: CustomJobs, known: State, progress: Progress) -> State:
        """The state of a job that has succeeded. *known* is kept up to date, and is the state of one that failed."""
        timeout_s = duration.timeout(known, "create", CREATE_TIMEOUT)
        try:
            job = jobs.wait(
                known["name"], timeout_s=timeout_s, progress=progress, seen=lambda job: known.update(outcome(job))
            )
        except OperationFailed as error:
            error.state = known  # in a create it taints: the next apply runs a new one in its place
            raise
        return known | outcome(job)

    def read(self, context: Context, state: State) -> State | None:
        job = self._jobs(context, state).find(state["name"])
        if job is None:
            return None
        if state["state"] not in (*BAD, SUCCEEDED) and job["state"] in BAD:
            said = (job.get("error") or {}).get("message", "Vertex AI gave no reason.")
            context.warn(f"Custom job {state['name']} ended as {job['state'].removeprefix(PREFIX)}", said)
        return self._evaluated(context, state | outcome(job))

    def _evaluated(self, context: Context, state: State) -> State:
        """The state with what a job that has succeeded tells of its model, once its file can be read."""
        if state["state"] != SUCCEEDED or not state["output_uri"] or state.get("metric_labels") is not None:
            return state
        try:
            return state | {"metric_labels": metric_labels(self.api, state["output_uri"], stop=context.stop)}
        except ApiError as error:
            context.warn(
                f"The metrics of custom job {state['name']} cannot be read: {error.summary}",
                f"{error.detail}\nThe job has succeeded. The next plan or apply tries again.",
            )
            return state

    def update(self, context: Context, prior: State, planned: State) -> State:
        """Terraform's own settings change in place; a job that goes on is waited for."""
        if prior["state"] == SUCCEEDED:
            return planned
        known = planned | {name: prior[name] for name in (*LEARNED, "create_time")}
        return self._evaluated(context, self._ended(self._jobs(context, prior), known, self._progress(prior)))

    def delete(self, context: Context, state: State) -> None:
        name = state["name"]
        if name in self.adopted:
            context.warn(
                f"Custom job {name} stays: its replacement is the same",
                "A replacement of an equal request took over the job that ran already. Set another run_key to run it "
                "anew.",
            )
            return
        jobs, progress = self._jobs(context, state), self._progress(state)
        timeout_s = duration.timeout(state, "delete", DELETE_TIMEOUT)
        job = jobs.find(name)
        if job is None:
            return
        if job["state"] not in (*BAD, SUCCEEDED):
            jobs.cancel(name, timeout_s=timeout_s, progress=progress)
        if not state["keep_on_destroy"]:
            jobs.delete(name, timeout_s=timeout_s, progress=progress)

    def import_(self, context: Context, identifier: str) -> State:
        """identifier: `projects/P/locations/L/customJobs/ID`."""
        _, separator, number = identifier.partition("/customJobs/")
        known = {"project": project_of(identifier), "location": location_of(identifier)}
        job = self._jobs(context, known).find(identifier) if separator and number else None
        if job is None:
            raise PluginError(
                "Nothing to import",
                f"Got {identifier!r}; allowed is projects/P/locations/L/customJobs/ID of a job that exists.",
            )
        state = self.schema.body.empty() | known | {"id": identifier, "name": identifier, "keep_on_destroy": False}
        return state | from_api(job, self.schema.body) | outcome(job)

    def _jobs(self, context: Context, state: State) -> CustomJobs:
        return CustomJobs(self.api, context.stop, f"projects/{state['project']}/locations/{state['location']}")

    def _progress(self, state: State) -> Progress:
        pool = state["worker_pool_specs"][0]
        machine = pool["machine_spec"][0]["machine_type"]
        replicas = sum(int(one["replica_count"] or 1) for one in state["worker_pool_specs"])
        asked = f"run {pool['container_spec'][0]['image_uri']} on {replicas} x {machine}"
        return Progress(self.type_name, state["display_name"], asked=asked, machine=machine)
