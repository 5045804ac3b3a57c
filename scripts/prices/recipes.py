"""Which SKUs of Google's catalog make up a row of the price table.

A machine has no SKU: it is billed by vCPU, by GB and by accelerator. Descriptions are matched whole, since `A2 Instance
Core running in` is also the end of `Spot Preemptible A2 Instance Core running in`. Data; fetches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

VERTEX_AI, COMPUTE_ENGINE, CLOUD_RUN = "C7E2-9256-1C43", "6F81-5844-456A", "152E-C115-5142"
# By display name, since their ids are nowhere written down that we could cite.
CLOUD_BUILD, ARTIFACT_REGISTRY, KUBERNETES_ENGINE = "Cloud Build", "Artifact Registry", "Kubernetes Engine"
HOURS_PER_MONTH = 730


@dataclass(frozen=True)
class Part:
    """quantity: of the SKU's unit in one unit of the row. pattern: a regular expression for the whole description."""

    service: str
    pattern: str
    quantity: float


@dataclass(frozen=True)
class Recipe:
    """A row of the table: its service and item, and the SKUs that add up to it."""

    service: str
    item: str
    parts: tuple[Part, ...]


def _predicted(item: str, family: str, vcpu: int, gb: int, accelerator: str = "", count: int = 1) -> Recipe:
    on = "Vertex AI: Online/Batch Prediction"
    parts = [
        Part(VERTEX_AI, rf"{on} {family} (Predefined )?Instance Core running in .+", vcpu),
        Part(VERTEX_AI, rf"{on} {family} (Predefined )?Instance Ram running in .+", gb),
    ]
    if accelerator:
        parts.append(Part(VERTEX_AI, rf"{on} Nvidia {accelerator} GPU running in .+", count))
    return Recipe("vertex-prediction", item, tuple(parts))


def _machine(item: str, family: str, vcpu: int, gb: int, accelerator: str, count: int = 1) -> Recipe:
    parts = (
        Part(COMPUTE_ENGINE, rf"{family} (Predefined )?Instance Core running in .+", vcpu),
        Part(COMPUTE_ENGINE, rf"{family} (Predefined )?Instance Ram running in .+", gb),
        Part(COMPUTE_ENGINE, rf"Nvidia {accelerator} GPU running in .+", count),
    )
    return Recipe("compute", item, parts)


RECIPES: tuple[Recipe, ...] = (
    _predicted("a2-highgpu-1g", "A2", 12, 85, "Tesla A100"),
    _predicted("a2-ultragpu-1g", "A2", 12, 170, "(Tesla )?A100 80GB"),
    _predicted("a3-highgpu-1g", "A3", 26, 234, "H100 80gb"),
    _predicted("g2-standard-4", "G2", 4, 16, "L4"),
    _predicted("g2-standard-12", "G2", 12, 48, "L4"),
    _machine("a2-highgpu-1g", "A2", 12, 85, "Tesla A100"),
    _machine("g2-standard-4", "G2", 4, 16, "L4"),
    _machine("a3-highgpu-8g", "A3", 208, 1872, "H100 80GB", 8),
    Recipe("compute", "NVIDIA_TESLA_T4", (Part(COMPUTE_ENGINE, r"Nvidia Tesla T4 GPU running in .+", 1),)),
    Recipe("cloud-run", "vcpu", (Part(CLOUD_RUN, r"Services CPU \(Request-based billing\) in .+", 1),)),
    Recipe("cloud-run", "gib", (Part(CLOUD_RUN, r"Services Memory \(Request-based billing\) in .+", 1),)),
    Recipe("artifact-registry", "storage", (Part(ARTIFACT_REGISTRY, r"Artifact Registry Storage( in .+)?", 1),)),
    Recipe("gke", "cluster", (Part(KUBERNETES_ENGINE, r"(Regional|Zonal) Kubernetes Clusters", 1),)),
    *(
        Recipe("cloud-build", item, (Part(CLOUD_BUILD, rf"Build time on {words}( .*)?", 1),))
        for item, words in (
            ("E2_MEDIUM", "E2 Medium"),
            ("E2_STANDARD_2", "E2 Standard 2"),
            ("E2_HIGHCPU_8", "E2 Highcpu 8"),
            ("E2_HIGHCPU_32", "E2 Highcpu 32"),
        )
    ),
)
