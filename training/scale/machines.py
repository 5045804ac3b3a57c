"""Machine types of Vertex AI training: their GPUs and what those can do. Data with a source each; knows no model.

Sources: Vertex AI, "Configure compute resources for custom training"; Compute Engine, "GPU machine types" (memory of
the machine in GB); NVIDIA's data sheets of A100, L4 and H100 SXM (memory, dense bf16 TFLOPS).
"""

from __future__ import annotations

from dataclasses import dataclass

from training.config.reading import BadConfig


@dataclass(frozen=True)
class Gpu:
    """accelerator: Vertex AI's name. memory_gib: usable by a process. tflops: bf16, dense."""

    accelerator: str
    memory_gib: float
    tflops: float


@dataclass(frozen=True)
class Machine:
    """memory_gb: of the machine itself."""

    gpu: Gpu
    num_gpus: int
    memory_gb: int


# nominal GB less what driver and CUDA context take, about 0.6 GiB
A100_40 = Gpu("NVIDIA_TESLA_A100", 39.0, 312)
A100_80 = Gpu("NVIDIA_A100_80GB", 78.6, 312)
L4 = Gpu("NVIDIA_L4", 21.9, 121)
H100 = Gpu("NVIDIA_H100_80GB", 78.6, 989)

MACHINES: dict[str, Machine] = {
    "g2-standard-8": Machine(L4, 1, 32),
    "g2-standard-24": Machine(L4, 2, 96),
    "g2-standard-96": Machine(L4, 8, 384),
    "a2-highgpu-1g": Machine(A100_40, 1, 85),
    "a2-highgpu-2g": Machine(A100_40, 2, 170),
    "a2-highgpu-4g": Machine(A100_40, 4, 340),
    "a2-highgpu-8g": Machine(A100_40, 8, 680),
    "a2-ultragpu-1g": Machine(A100_80, 1, 170),
    "a2-ultragpu-2g": Machine(A100_80, 2, 340),
    "a2-ultragpu-4g": Machine(A100_80, 4, 680),
    "a2-ultragpu-8g": Machine(A100_80, 8, 1360),
    "a3-highgpu-8g": Machine(H100, 8, 1872),
}


def machine_of(machine_type: str) -> Machine:
    """Raises `BadConfig`."""
    if machine_type not in MACHINES:
        raise BadConfig(f"scale.machine_type must be one of {', '.join(MACHINES)}, got {machine_type!r}")
    return MACHINES[machine_type]
