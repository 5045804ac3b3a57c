"""The progress of a deployment, with what was asked for in a user's words.

Knows the state of a deployed model; knows nothing of calls.
"""

from __future__ import annotations

from typing import Any

from provider.progress.phases import Progress
from tfplugin.values import State


def progress_of(resource: str, state: State) -> Progress:
    """resource: its type. state: of a `vertex_endpoint_deployed_model`, planned or held."""
    endpoint, number = str(state["endpoint"]).rpartition("/")[2], str(state["deployed_model_id"])
    machine = str(_machine(state).get("machine_type") or "")
    model = state["model"] if isinstance(state["model"], str) else ""
    return Progress(resource, f"{endpoint}/{number}", asked=_asked(state, machine), machine=machine, model=model)


def _asked(state: State, machine: str) -> str:
    """`deploy echo@2 to endpoint 4242 on a2-highgpu-1g with 1 NVIDIA_TESLA_A100, 1 to 2 replicas`."""
    model, endpoint = str(state["model"]).rpartition("/")[2], str(state["endpoint"]).rpartition("/")[2]
    asked = f"deploy {model} to endpoint {endpoint} on {machine or 'a machine'}"
    accelerator = _machine(state).get("accelerator_type")
    if isinstance(accelerator, str) and accelerator:
        asked += f" with {int(_machine(state).get('accelerator_count') or 1)} {accelerator}"
    resources = _first(state.get("dedicated_resources"))
    least, most = resources.get("min_replica_count"), resources.get("max_replica_count")
    if isinstance(least, int | float) and isinstance(most, int | float):
        asked += f", {int(least)} to {int(most)} replicas"
    return asked


def _machine(state: State) -> State:
    return _first(_first(state.get("dedicated_resources")).get("machine_spec"))


def _first(blocks: Any) -> State:
    """The one body of a block that may be missing or unknown."""
    one = blocks[0] if isinstance(blocks, list) and blocks else {}
    return one if isinstance(one, dict) else {}
