"""Plans what goes where before anything is loaded: weights, working space, and as many slots as fit.

Knows sizes; knows no tensors, no files. A plan that cannot hold one sequence is refused, with what would help.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving.t5 import T5Config

CGROUP = Path("/sys/fs/cgroup")
# What the allocators, the libraries and the pages of the mapped files take beside what is planned.
RESERVE = 0.05


class DoesNotFit(ValueError):
    """Not even one sequence fits beside the weights."""


@dataclass(frozen=True, slots=True)
class Room:
    """What the server was asked to hold at once. max_beams: rows of one sequence, which stay together."""

    max_batch_size: int
    max_source: int
    max_target: int
    max_beams: int = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """Bytes, and how many slots they allow: `num_slots` are wanted, `num_fitting` would fit."""

    room: Room
    available: int
    weights: int
    workspace: int
    slot: int
    num_slots: int
    num_fitting: int

    def slots_each(self, num_engines: int) -> int:
        """Of each of so many engines that share the slots: its part, or more where a search's beams need more."""
        share = -(-self.num_slots // num_engines)
        return max(share, min(self.room.max_beams, self.num_fitting // num_engines))

    def lines(self) -> list[str]:
        """The plan for the log."""
        slots, room = self.num_slots, self.room
        lines = [
            f"memory: {amount(self.available)} available, weights {amount(self.weights)}, "
            f"working space {amount(self.workspace)}, {slots} slots of {amount(self.slot)} "
            f"({room.max_source} prompt + {room.max_target} new tokens each) = {amount(slots * self.slot)}",
        ]
        if slots < room.max_batch_size:
            lines.append(
                f"memory: MAX_BATCH_SIZE is {room.max_batch_size}, but only {slots} sequences fit at once; "
                "smaller MAX_INPUT_TOKENS or MAX_NEW_TOKENS make smaller slots"
            )
        return lines


def plan(
    config: T5Config,
    room: Room,
    *,
    available: int,
    weight_bytes: int,
    cache_bytes: int,
    table_bytes: int | None = None,
    num_engines: int = 1,
) -> Plan:
    """Raises `DoesNotFit`.

    available: bytes free on the device. weight_bytes: of one number of the weight matrices; cache_bytes: of one
    number of the caches; table_bytes: of one of the embedding, with what is kept beside it to find likeliest tokens
    (as the caches' when None).
    num_engines: processes that share weights and slots, each with a working space of its own.
    """
    table = config.vocab_size * config.d_model
    weights = config.num_matrix_weights * weight_bytes + table * (cache_bytes if table_bytes is None else table_bytes)
    slot = slot_bytes(config, room, cache_bytes)
    workspace = num_engines * workspace_bytes(config, room)
    usable = int(available * (1 - RESERVE)) - weights - workspace
    num_fitting = usable // slot
    if num_fitting < 1:
        raise DoesNotFit(
            f"the weights need {amount(weights)}, working space {amount(workspace)} and one sequence of "
            f"{room.max_source} + {room.max_target} tokens {amount(slot)}; {amount(available)} are available. "
            "Set QUANTIZE=int8, DTYPE=bfloat16 on a GPU, smaller MAX_INPUT_TOKENS and MAX_NEW_TOKENS, "
            "or take a larger machine"
        )
    return Plan(room, available, weights, workspace, slot, min(room.max_batch_size, num_fitting), num_fitting)


def slot_bytes(config: T5Config, room: Room, cache_bytes: int) -> int:
    """Keys and values of one sequence at its longest, over all decoder layers."""
    per_token = 2 * config.d_attention * config.num_decoder_layers * cache_bytes
    return per_token * (room.max_source + room.max_target)


def workspace_bytes(config: T5Config, room: Room) -> int:
    """The largest of what comes and goes: scores of a full batch, or the longest prompt in the encoder; float32."""
    scores = 3 * room.max_batch_size * config.vocab_size
    widest = max(3 * config.d_attention, 3 * config.d_ff) + 2 * config.d_model
    biases = 2 * config.num_heads * room.max_source**2
    waiting = 2 * config.d_attention * config.num_decoder_layers * room.max_source
    return 4 * (scores + widest * room.max_source + biases + waiting)


def available_on_cpu() -> int:
    """Bytes that this process may still take: the machine's, or the container's when that is less."""
    free = [_meminfo("MemAvailable")]
    limit = _number(CGROUP / "memory.max") or _number(CGROUP / "memory/memory.limit_in_bytes")
    used = _number(CGROUP / "memory.current") or _number(CGROUP / "memory/memory.usage_in_bytes")
    # a limit beyond the machine's memory is how cgroups say "none"
    if limit and limit < _meminfo("MemTotal"):
        free.append(limit - (used or 0) + _file_cache())
    return max(0, min(free))


def amount(num_bytes: int) -> str:
    """2106552 -> "2.1 MB"."""
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:.1f} MB"


def _meminfo(key: str) -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # not Linux: no plan is better than a refusal
        return 1 << 62
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(key + ":")), 1 << 62)


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _file_cache() -> int:
    """Bytes that count as used by the container and are given back on demand."""
    try:
        lines = (CGROUP / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("inactive_file ")), 0)
