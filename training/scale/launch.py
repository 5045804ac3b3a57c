"""From one command on each machine to one process on each GPU: torchrun, with what Vertex AI says of the machines.

Vertex AI gives every replica RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, counted in machines; torchrun makes of them
what each process reads. Source: Vertex AI, "Distributed training", environment variables for PyTorch.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

PORT = "29500"


def command(
    arguments: Sequence[str], *, processes: int, environment: Mapping[str, str], is_alone: bool = False
) -> list[str]:
    """processes: on this machine. is_alone: one process there, which on one machine needs no torchrun."""
    task = ["-m", "training", "fine-tune", *arguments]
    machines = int(environment.get("WORLD_SIZE") or 1)
    if is_alone and machines == 1:
        return [sys.executable, *task]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    if machines == 1:
        return [*torchrun, "--standalone", *task]
    return [
        *torchrun,
        "--nnodes",
        str(machines),
        "--node-rank",
        environment.get("RANK", "0"),
        "--master-addr",
        environment.get("MASTER_ADDR", "localhost"),
        "--master-port",
        environment.get("MASTER_PORT", PORT),
        *task,
    ]
