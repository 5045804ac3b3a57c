"""Values of a deployment that must fit each other, checked before anything is synthesized.

Each function returns a line per misfit: the key, the value got, the value allowed, the cure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdk.machines import BYTES_PER_PARAMETER, MACHINES, MEMORY_HEADROOM

if TYPE_CHECKING:
    from cdk.config import DeploymentConfig

SHARED_TIMEOUT_S = 60
# Vertex AI allows 3600 s on a dedicated endpoint, but only through clientConnectionConfig, which the Google
# provider's endpoint resource does not have; without it the limit is its default.
DEDICATED_TIMEOUT_S = 600
# What the page waits beyond the server's own limit, so that the server's answer arrives and not a cut line.
PAGE_MARGIN_S = 30
# Set by the model's stack from other keys of the file.
DERIVED_VARIABLES = {
    "DTYPE": "model.dtype",
    "MODEL_NAME": "model.display_name",
    "REQUEST_TIMEOUT_S": "endpoint.request_timeout_s",
}


def endpoint_problems(config: DeploymentConfig) -> list[str]:
    """Machine, accelerator, region and replicas against each other."""
    endpoint, problems = config.endpoint, []
    machine = MACHINES.get(endpoint.machine_type)
    if machine is None:
        known = ", ".join(MACHINES)
        return [
            f"endpoint.machine_type: got {endpoint.machine_type!r}; allowed are {known}. "
            "Another one needs a row in cdk/machines.py"
        ]
    if (endpoint.accelerator_type, endpoint.accelerator_count) != (machine.accelerator, machine.accelerators):
        wanted = f"{machine.accelerator} x{machine.accelerators}" if machine.accelerator else "no accelerator"
        problems.append(
            f"endpoint.accelerator_type: got {endpoint.accelerator_type} x{endpoint.accelerator_count}; "
            f"{endpoint.machine_type} has {wanted} built in: set accelerator_type and accelerator_count to that"
        )
    if machine.regions and config.google.region not in machine.regions:
        regions = ", ".join(sorted(machine.regions))
        problems.append(
            f"google.region: got {config.google.region!r}; {endpoint.machine_type} is in {regions}: "
            "take one of these, or another machine"
        )
    if endpoint.min_replicas > endpoint.max_replicas:
        problems.append(
            f"endpoint.min_replicas: got {endpoint.min_replicas}; allowed is at most "
            f"max_replicas ({endpoint.max_replicas}): lower one or raise the other"
        )
    if endpoint.spot and endpoint.reservation is not None:
        problems.append("endpoint.spot: got true with a reservation; allowed is one of the two: drop one")
    if endpoint.duty_cycle_target is not None and machine.accelerator is None:
        problems.append(
            f"endpoint.duty_cycle_target: got {endpoint.duty_cycle_target}, but {endpoint.machine_type} has no "
            "accelerator that could be busy: drop it"
        )
    return problems


def training_problems(config: DeploymentConfig) -> list[str]:
    """Where the tuning runs, and what its container is told."""
    training, problems = config.training, []
    if not training.enabled:
        return []
    machine = MACHINES.get(training.machine_type)
    if machine is None:
        known = ", ".join(MACHINES)
        return [f"training.machine_type: got {training.machine_type!r}; allowed are {known}"]
    if (training.accelerator_type, training.accelerator_count) != (machine.accelerator, machine.accelerators):
        wanted = f"{machine.accelerator} x{machine.accelerators}" if machine.accelerator else "no accelerator"
        problems.append(
            f"training.accelerator_type: got {training.accelerator_type} x{training.accelerator_count}; "
            f"{training.machine_type} has {wanted} built in: set accelerator_type and accelerator_count to that"
        )
    if machine.regions and config.google.region not in machine.regions:
        problems.append(
            f"training.machine_type: got {training.machine_type}, which is not in {config.google.region} but in "
            f"{', '.join(sorted(machine.regions))}: take another machine, or another region"
        )
    reserved = sorted(name for name in training.env if name.startswith("AIP_") or name == "TRAINING_CONFIG")
    if reserved:
        problems.append(
            f"training.env: got {', '.join(reserved)}; Vertex AI sets what begins with AIP_, and TRAINING_CONFIG is "
            "made of training.task and training.settings: drop it"
        )
    return problems


def memory_problems(config: DeploymentConfig) -> list[str]:
    """Whether the weights fit where they are to run. The server keeps a model on one accelerator."""
    machine = MACHINES.get(config.endpoint.machine_type)
    if machine is None:
        return []
    weights_gb = config.model.parameters_billion * BYTES_PER_PARAMETER[config.model.dtype]
    room_gb = machine.accelerator_memory_gb or machine.memory_gb
    if weights_gb * MEMORY_HEADROOM <= room_gb:
        return []
    where = f"one {machine.accelerator}" if machine.accelerator else config.endpoint.machine_type
    return [
        f"model.dtype: got {config.model.dtype}; {config.model.dtype} {weights_gb:.0f} GB does not fit {room_gb} GB "
        f"({where}) with {100 * (MEMORY_HEADROOM - 1):.0f} % left for caches: take a smaller dtype or a larger machine"
    ]


def timeout_problems(config: DeploymentConfig) -> list[str]:
    """What a prediction may take, against the endpoint and the page that wait for it."""
    wanted_s, problems = config.endpoint.request_timeout_s, []
    kind, limit_s = ("dedicated", DEDICATED_TIMEOUT_S) if config.endpoint.dedicated else ("shared", SHARED_TIMEOUT_S)
    if wanted_s > limit_s:
        cure = (
            "take a shorter time" if config.endpoint.dedicated else "set endpoint.dedicated = true, or a shorter time"
        )
        problems.append(f"endpoint.request_timeout_s: got {wanted_s}; a {kind} endpoint allows {limit_s}: {cure}")
    if wanted_s + PAGE_MARGIN_S > config.ui.timeout_s:
        problems.append(
            f"ui.timeout_s: got {config.ui.timeout_s}; allowed is endpoint.request_timeout_s + {PAGE_MARGIN_S} = "
            f"{wanted_s + PAGE_MARGIN_S} or more, so that the page outlives the prediction: raise it"
        )
    return problems


def container_problems(config: DeploymentConfig) -> list[str]:
    """The serving container's routes and variables."""
    problems, env = [], config.serving.env
    reserved = sorted(name for name in env if name.startswith("AIP_"))
    if reserved:
        problems.append(f"serving.env: got {', '.join(reserved)}; Vertex AI sets what begins with AIP_: drop it")
    problems += [
        f"serving.env: got {name}, which is set from {key}: change that instead"
        for name, key in DERIVED_VARIABLES.items()
        if name in env
    ]
    if config.serving.predict_route == config.serving.health_route:
        problems.append(
            f"serving.health_route: got {config.serving.health_route}, which is the predict_route too: change one"
        )
    return problems


def page_problems(config: DeploymentConfig) -> list[str]:
    """Who may use the page, and how many instances it has."""
    ui, problems = config.ui, []
    if ui.public and ui.invokers:
        problems.append("ui.invokers: got names while ui.public is true; everybody may call it then: drop one")
    if ui.public and ui.ingress != "all":
        problems.append(
            f"ui.public: got true with ui.ingress = {ui.ingress!r}, which keeps the internet out: "
            'set public = false, or ingress = "all"'
        )
    if ui.min_instances > ui.max_instances:
        problems.append(
            f"ui.min_instances: got {ui.min_instances}; allowed is at most max_instances ({ui.max_instances})"
        )
    return problems


def provider_problems(config: DeploymentConfig) -> list[str]:
    """Where Terraform's providers come from, against the cloud that they talk to."""
    google, problems = config.google, []
    if google.access_token is not None and google.api_endpoint is None:
        problems.append(
            "google.access_token: got one without google.api_endpoint; Google Cloud takes application default "
            "credentials, and a token does not belong in a file: drop it"
        )
    if config.terraform.plugin_mirror == "local" and google.api_endpoint is None:
        problems.append(
            "terraform.plugin_mirror: got 'local' without google.api_endpoint; its stand-in for hashicorp/google never "
            'calls Google: set "cloud", or name an api_endpoint'
        )
    return problems
