"""google_cloud_run_v2_service.

Source of names, defaults and what forces a new one: the provider's resource_cloud_run_v2_service.go, 6.50.0.
"""

from __future__ import annotations

from localcloud.google_provider.mapping import RestMapping, same_last_segment
from localcloud.google_provider.rest_resource import RestResource
from tfplugin.resource import Context, PluginError
from tfplugin.values import State

_PROBES = ("template.containers.liveness_probe", "template.containers.startup_probe")
_PROBE_DEFAULTS = {
    "failure_threshold": 3,
    "initial_delay_seconds": 0,
    "period_seconds": 10,
    "timeout_seconds": 1,
    "http_get.path": "/",
    "http_get.http_headers.value": "",
}

SERVICE = RestMapping(
    type_name="google_cloud_run_v2_service",
    noun="Service",
    endpoint="cloud_run_v2_custom_endpoint",
    collection="projects/{project}/locations/{location}/services",
    self_link="projects/{project}/locations/{location}/services/{name}",
    id_query="serviceId={name}",
    imports=(
        "projects/{project}/locations/{location}/services/{name}",
        "{project}/{location}/{name}",
        "{location}/{name}",
    ),
    update="whole",
    replace=frozenset({"location", "name", "project"}),
    defaults={
        "deletion_protection": True,
        "template.volumes.empty_dir.medium": "MEMORY",
        **{f"{probe}.{name}": value for probe in _PROBES for name, value in _PROBE_DEFAULTS.items()},
    },
    in_url=frozenset({"location", "name"}),
    local=frozenset({"deletion_protection"}),
    renames={"template.containers.build_info.source_location": "source_location"},
    arrays=frozenset({"template.containers.ports"}),
    computed_blocks=frozenset(
        {
            "template.containers.ports",
            "template.containers.resources",
            "template.containers.startup_probe",
            "template.scaling",
            "traffic",
        }
    ),
    same={"name": same_last_segment},
    has_labels=True,
    has_annotations=True,
    taint_on_failed_create=True,
)


class Service(RestResource):
    """Protected from deletion until `deletion_protection = false` was applied."""

    def delete(self, context: Context, state: State) -> None:
        if state.get("deletion_protection") is not False:
            raise PluginError(
                "cannot destroy service without setting deletion_protection=false and running `terraform apply`"
            )
        super().delete(context, state)
