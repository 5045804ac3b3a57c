"""How long it takes until a deployment serves again after its endpoint was destroyed.

From how long the phases of past deployments took on this machine, as the provider measured them; else what is typical
on Google Cloud, and said to be that.
"""

from __future__ import annotations

from cdk.config import DeploymentConfig
from provider.progress import past_durations
from provider.progress.phases import clock

RESOURCE = "vertex_endpoint_deployed_model"
# The stages of a deployment, as Vertex AI names them; the provider's phases bear the same names.
STAGES = (
    "REQUESTED",
    "STARTING_DEPLOYMENT",
    "PREPARING_MODEL",
    "CREATING_SERVING_CLUSTER",
    "ADDING_NODES_TO_CLUSTER",
    "GETTING_CONTAINER_IMAGE",
    "STARTING_MODEL_SERVER",
    "FINISHING_UP",
    "GOLDEN_PREDICTION",
)
TYPICAL = "25 to 45 minutes on Google Cloud for an image of 20 GB"
NEVER_MEASURED = "no deployment was measured on this machine"


def way_back(config: DeploymentConfig) -> str:
    """One sentence."""
    past_durations.measure_at(config.google.api_endpoint)
    path, machine = past_durations.default_path(), config.endpoint.machine_type
    usual = (past_durations.usual_s(path, past_durations.key_of(RESOURCE, machine, stage)) for stage in STAGES)
    seconds = [one for one in usual if one is not None]
    if not seconds:
        typical = "under a minute on the local cloud" if config.google.api_endpoint else f"typically {TYPICAL}"
        return f"{typical}; {NEVER_MEASURED}"
    return f"about {clock(sum(seconds))}: the median of this machine's past deployments, phase by phase"
