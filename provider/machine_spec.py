"""What is wrong with a `machine_spec`, which deployments and jobs both have.

Judges by the table of machines; knows neither of the resources.
"""

from __future__ import annotations

from provider import machines
from provider.limits import doubted, number_problems, refused
from tfplugin.planning import Path
from tfplugin.resource import Problem
from tfplugin.values import UNKNOWN, State


def machine_problems(at: Path, machine: State) -> list[Problem]:
    """An accelerator that its machine cannot have, or must have."""
    kind, accelerator = machine["machine_type"], machine["accelerator_type"]
    found = number_problems((*at, "accelerator_count"), machine["accelerator_count"], least=1)
    if accelerator is None and isinstance(machine["accelerator_count"], int | float):
        found.append(refused((*at, "accelerator_count"), machine["accelerator_count"], "none without accelerator_type"))
    if found or not isinstance(kind, str) or accelerator is UNKNOWN:
        return found
    family = machines.family_of(kind)
    if family is not None:
        return _built_in_problems(at, machine, family)
    if accelerator is None:
        return []
    if machines.WITHOUT.match(kind):
        cure = "Attach one to an n1 machine, or take a machine with one built in, as g2-standard-12 or a2-highgpu-1g."
        return [refused((*at, "accelerator_type"), accelerator, f"none: {kind} takes no accelerator", cure)]
    return _attached_problems(at, machine) if machines.ATTACHING.match(kind) else []


def _built_in_problems(at: Path, machine: State, family: machines.Family) -> list[Problem]:
    kind, accelerator, count = machine["machine_type"], machine["accelerator_type"], machine["accelerator_count"]
    if machines.size_of(kind) not in family.counts:
        sizes = ", ".join(f"{kind.rpartition('-')[0]}-{size}" for size in family.counts)
        return [doubted((*at, "machine_type"), kind, f"one of {sizes}, as far as is known here")]
    wanted = family.counts[machines.size_of(kind)]
    if accelerator is None:
        allowed = f"{family.accelerator}, which {kind} has built in: it must be named"
        return [refused((*at, "accelerator_type"), None, allowed)]
    if accelerator != family.accelerator:
        return [refused((*at, "accelerator_type"), accelerator, f"{family.accelerator}, which {kind} has built in")]
    if count is not UNKNOWN and (count or 1) != wanted:
        return [refused((*at, "accelerator_count"), count, f"{wanted}, which {kind} has built in")]
    return []


def _attached_problems(at: Path, machine: State) -> list[Problem]:
    kind, accelerator, count = machine["machine_type"], machine["accelerator_type"], machine["accelerator_count"]
    counts = machines.ATTACHABLE.get(accelerator)
    if counts is None:
        built_in = next((name for name, one in machines.BUILT_IN.items() if one.accelerator == accelerator), None)
        cure = f"{accelerator} comes with {built_in} machines." if built_in else ""
        return [refused((*at, "accelerator_type"), accelerator, f"with {kind}: {', '.join(machines.ATTACHABLE)}", cure)]
    if count is not UNKNOWN and (count or 1) not in counts:
        allowed = " or ".join(map(str, counts))
        return [refused((*at, "accelerator_count"), count, f"{allowed} of {accelerator}")]
    return []
