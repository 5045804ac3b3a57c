"""Which Terraform providers the stacks are written for. Data; imports nothing."""

from __future__ import annotations

VERTEX_SOURCE, VERTEX_VERSION = "flanstack.local/flanstack/vertex", "0.1.0"
GOOGLE_SOURCE, GOOGLE_VERSION = "registry.terraform.io/hashicorp/google", "6.50.0"
