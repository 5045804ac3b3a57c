"""Why builds fail: the part of the catalogue that only they have.

Source: build logs as users quote them, and Cloud Build, "Troubleshooting build errors".
"""

from __future__ import annotations

from provider.failures.cause import Cause

BUILDING: tuple[Cause, ...] = (
    Cause(
        "build-timeout",
        "The build's own timeout ended it (60 minutes, when nothing else is set).",
        'Set build.timeout = "7200s" in the trigger, a larger options.machineType (E2_HIGHCPU_8), and timeouts.create '
        "here to as much.",
        said=r"^TIMEOUT\b|build (?:took longer than its timeout|timed out)",
    ),
    Cause(
        "base-image",
        "A base image or builder cannot be pulled.",
        "Check the name in FROM, or grant the build's service account access to it.",
        logged=r"pull access denied|manifest for \S+ not found|failed to resolve source metadata|manifest unknown",
    ),
    Cause(
        "package",
        "A package could not be installed: {package}.",
        "Check its name and version, and that this Python version has it.",
        logged=r"No matching distribution found for (?P<package>\S+)|Could not find a version that satisfies the "
        r"requirement (?P<package_>\S+)",
    ),
    Cause(
        "push-permission",
        "The build's service account may not push the image.",
        "Grant it roles/artifactregistry.writer on the repository.",
        logged=r"uploadArtifacts[^\n]*denied|denied:[^\n]*uploadArtifacts|denied: Permission",
    ),
)
