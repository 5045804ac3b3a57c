"""Values of a deployment that must fit each other, checked before anything is synthesized.

Each function returns a sentence per misfit: what, the value got, the value allowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdk.machines import BYTES_PER_PARAMETER, MACHINES, MEMORY_HEADROOM

if TYPE_CHECKING:
    from cdk.config import DeploymentConfig

SHARED_ENDPOINT_TIMEOUT_S = 60


def endpoint_problems(config: DeploymentConfig) -> list[str]:
    """Machine, accelerator, region, replicas and time-outs against each other."""
    endpoint, problems = config.endpoint, []
    machine = MACHINES.get(endpoint.machine_type)
    if machine is None:
        return [f"endpoint.machine_type: got {endpoint.machine_type!r}; known are {', '.join(MACHINES)}"]
    if (endpoint.accelerator_type, endpoint.accelerator_count) != (machine.accelerator, machine.accelerators):
        wanted = f"{machine.accelerator} x{machine.accelerators}" if machine.accelerator else "no accelerator"
        problems.append(
            f"endpoint.accelerator_type: got {endpoint.accelerator_type} x{endpoint.accelerator_count}; "
            f"{endpoint.machine_type} has {wanted} built in"
        )
    if machine.regions and config.google.region not in machine.regions:
        regions = ", ".join(sorted(machine.regions))
        problems.append(f"google.region: got {config.google.region}; {endpoint.machine_type} is in {regions}")
    if endpoint.min_replicas > endpoint.max_replicas:
        problems.append(
            f"endpoint.min_replicas: must be at most max_replicas ({endpoint.max_replicas}), "
            f"got {endpoint.min_replicas}"
        )
    if not endpoint.dedicated and endpoint.request_timeout_s > SHARED_ENDPOINT_TIMEOUT_S:
        problems.append(
            f"endpoint.request_timeout_s: got {endpoint.request_timeout_s}; a shared endpoint allows "
            f"{SHARED_ENDPOINT_TIMEOUT_S}. Set endpoint.dedicated = true, or a shorter time"
        )
    if endpoint.spot and endpoint.reservation is not None:
        problems.append("endpoint.spot: got true with a reservation; a reservation has no spot machines")
    return problems


def memory_problems(config: DeploymentConfig) -> list[str]:
    """Whether the weights fit where they are to run."""
    machine = MACHINES.get(config.endpoint.machine_type)
    if machine is None:
        return []
    weights_gb = config.model.parameters_billion * BYTES_PER_PARAMETER[config.model.dtype]
    needed_gb = weights_gb * MEMORY_HEADROOM
    room_gb = machine.accelerators * machine.accelerator_memory_gb or machine.memory_gb
    if needed_gb <= room_gb:
        return []
    where = f"{machine.accelerators}x {machine.accelerator}" if machine.accelerator else config.endpoint.machine_type
    return [
        f"model.dtype: {config.model.dtype} {weights_gb:.0f} GB does not fit {room_gb} GB ({where}) with "
        f"{100 * (MEMORY_HEADROOM - 1):.0f} % room for caches; take a smaller dtype or a larger machine"
    ]


def source_problems(config: DeploymentConfig) -> list[str]:
    """Values that two rooms must agree on."""
    problems = []
    reserved = sorted(name for name in config.serving.env if name.startswith("AIP_"))
    if reserved:
        problems.append(f"serving.env: got {', '.join(reserved)}; names that begin with AIP_ are set by Vertex AI")
    if config.serving.predict_route == config.serving.health_route:
        problems.append(f"serving.health_route: got {config.serving.health_route}, which is the predict_route too")
    if config.ui.public and config.ui.invokers:
        problems.append("ui.invokers: must be empty when ui.public is true, since everybody may call it then")
    return problems
