"""Which accelerators a machine type of Vertex AI has built in, or can have attached. Data, with a source.

A machine of a family that is not listed passes without a word: Google adds some every quarter, tells within seconds
of one that does not exist, and a table that refuses what it does not know is wrong the day after it is written.
Source: Vertex AI, "Configure compute resources for inference", and Compute Engine's GPU machine types (2026-11).
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """Machine types of one kind. counts: accelerators by the end of the name; empty: any of `attachable`."""

    accelerator: str | None
    counts: dict[str, int]


# Family (the name without its last part) -> what is built in.
BUILT_IN: dict[str, Family] = {
    "a2-highgpu": Family("NVIDIA_TESLA_A100", {"1g": 1, "2g": 2, "4g": 4, "8g": 8}),
    "a2-megagpu": Family("NVIDIA_TESLA_A100", {"16g": 16}),
    "a2-ultragpu": Family("NVIDIA_A100_80GB", {"1g": 1, "2g": 2, "4g": 4, "8g": 8}),
    "a3-highgpu": Family("NVIDIA_H100_80GB", {"1g": 1, "2g": 2, "4g": 4, "8g": 8}),
    "a3-edgegpu": Family("NVIDIA_H100_80GB", {"8g": 8}),
    "a3-megagpu": Family("NVIDIA_H100_MEGA_80GB", {"8g": 8}),
    "a3-ultragpu": Family("NVIDIA_H200_141GB", {"8g": 8}),
    "a4-highgpu": Family("NVIDIA_B200", {"8g": 8}),
    "a4x-highgpu": Family("NVIDIA_GB200", {"4g": 4}),
    "g2-standard": Family("NVIDIA_L4", {"4": 1, "8": 1, "12": 1, "16": 1, "32": 1, "24": 2, "48": 4, "96": 8}),
    "g4-standard": Family("NVIDIA_RTX_PRO_6000", {"48": 1, "96": 2, "192": 4, "384": 8}),
}
# What can be attached to an n1 machine, and how many.
ATTACHABLE: dict[str, tuple[int, ...]] = {
    "NVIDIA_TESLA_T4": (1, 2, 4),
    "NVIDIA_TESLA_P4": (1, 2, 4),
    "NVIDIA_TESLA_P100": (1, 2, 4),
    "NVIDIA_TESLA_V100": (1, 2, 4, 8),
}
ATTACHING = re.compile(r"^n1-")
# Families that take no accelerator at all.
WITHOUT = re.compile(r"^(?:e2|n2|n2d|n4|c2|c2d|c3|c3d|c4|m1|m2|m3|t2d)-")


def family_of(machine_type: str) -> Family | None:
    """The family with built-in accelerators that a machine type is of."""
    return BUILT_IN.get(machine_type.rpartition("-")[0])


def size_of(machine_type: str) -> str:
    return machine_type.rpartition("-")[2]
