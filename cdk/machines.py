"""Machine types of Vertex AI serving: what they have built in, and where they are. Data with a source each.

Source of the pairings: Vertex AI's machine types page and the Compute Engine zones of 2026-11;
Vertex serves in a subset of them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """accelerator: the one it has built in, None for CPU only. memory in GB; regions empty when nearly everywhere."""

    accelerator: str | None
    accelerators: int
    accelerator_memory_gb: int
    memory_gb: int
    regions: frozenset[str] = frozenset()


A100_REGIONS = frozenset(
    {
        "asia-northeast1",
        "asia-northeast3",
        "asia-southeast1",
        "europe-west4",
        "me-west1",
        "us-central1",
        "us-east1",
        "us-west1",
        "us-west3",
        "us-west4",
    }
)

MACHINES: dict[str, Machine] = {
    "a2-highgpu-1g": Machine("NVIDIA_TESLA_A100", 1, 40, 85, A100_REGIONS),
    "a2-highgpu-2g": Machine("NVIDIA_TESLA_A100", 2, 40, 170, A100_REGIONS),
    "a2-highgpu-4g": Machine("NVIDIA_TESLA_A100", 4, 40, 340, A100_REGIONS),
    "a2-highgpu-8g": Machine("NVIDIA_TESLA_A100", 8, 40, 680, A100_REGIONS),
    "a2-ultragpu-1g": Machine("NVIDIA_A100_80GB", 1, 80, 170),
    "a2-ultragpu-8g": Machine("NVIDIA_A100_80GB", 8, 80, 1360),
    "g2-standard-12": Machine("NVIDIA_L4", 1, 24, 48),
    "g2-standard-8": Machine("NVIDIA_L4", 1, 24, 32),
    "a3-highgpu-8g": Machine("NVIDIA_H100_80GB", 8, 80, 1872),
    "n1-standard-4": Machine(None, 0, 0, 15),
    "n1-standard-8": Machine(None, 0, 0, 30),
    "e2-standard-4": Machine(None, 0, 0, 16),
}
BYTES_PER_PARAMETER = {"fp32": 4, "bf16": 2, "fp16": 2}
# Weights are not all: caches, activations and the CUDA context need this share besides.
MEMORY_HEADROOM = 1.1
