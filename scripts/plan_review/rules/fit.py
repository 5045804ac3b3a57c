"""Rules about things that must fit each other: image and digest, weights and memory, regions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cdk.machines import BYTES_PER_PARAMETER, MACHINES, MEMORY_HEADROOM
from scripts.plan_review.plan.plans import Change
from scripts.plan_review.plan.redeployment import TYPE
from scripts.plan_review.plan.values import block
from scripts.plan_review.proposal import Proposal
from scripts.plan_review.rules.rule import Hit, Rule, Severity, hit

BY_DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}")
REGISTRY = re.compile(r"([a-z0-9-]+)-docker\.pkg\.dev/")
PLACE = re.compile(r"/locations/([a-z0-9-]+)/")
# What has to be where the deployment is.
PLACED = (
    "google_vertex_ai_endpoint",
    "google_artifact_registry_repository",
    "google_cloud_run_v2_service",
    "vertex_model",
)


def _digest(proposal: Proposal) -> Iterator[Hit]:
    for change in proposal.changes:
        for image in _images(change):
            if not BY_DIGEST.fullmatch(image):
                yield hit(
                    change, f"{image} is named by a tag or not at all, not by its digest.", "runs an unpinned image"
                )


def _images(change: Change) -> list[str]:
    """The images that it will run, as far as they are known."""
    if change.after is None:
        return []
    named = [
        block(change.after, "container_spec").get("image_uri"),
        block(change.after, "template", "containers").get("image"),
        block(change.after, "worker_pool_specs", "container_spec").get("image_uri"),
        block(change.after, "primary_container").get("image"),
    ]
    return [str(image) for image in named if image]


def _memory(proposal: Proposal) -> Iterator[Hit]:
    model = proposal.config.model
    weights_gb = model.parameters_billion * BYTES_PER_PARAMETER[model.dtype]
    for change in proposal.of_type(TYPE):
        kind = str(block(change.after, "dedicated_resources", "machine_spec").get("machine_type"))
        machine = MACHINES.get(kind)
        if machine is None or change.action == "none":
            continue
        room_gb = machine.accelerator_memory_gb or machine.memory_gb
        if weights_gb * MEMORY_HEADROOM > room_gb:
            what = f"{model.dtype} weights of {weights_gb:.1f} GB and a tenth more do not fit {room_gb} GB of {kind}."
            yield hit(change, what, "does not fit its accelerator")


def _regions(proposal: Proposal) -> Iterator[Hit]:
    wanted = proposal.config.google.region
    for change in proposal.changes:
        if change.after is None:
            continue
        place = change.after.get("location") or change.after.get("region")
        if change.type in PLACED and place and str(place).lower() != wanted:
            yield hit(change, f"It is in {place}; the deployment is in {wanted}.", "mixes regions")
        elif change.type == "vertex_model":
            yield from _image_region(change, str(place or wanted))
        elif change.type == TYPE:
            yield from _endpoint_region(change)


def _image_region(change: Change, place: str) -> Iterator[Hit]:
    for image in _images(change):
        found = REGISTRY.match(image)
        if found and found.group(1) != place:
            what = f"The image is in {found.group(1)}, the model in {place}; Vertex AI takes images of its region only."
            yield hit(change, what, "mixes regions")


def _endpoint_region(change: Change) -> Iterator[Hit]:
    places = {
        found.group(1)
        for key in ("endpoint", "model")
        if (found := PLACE.search(str((change.after or {}).get(key) or "")))
    }
    if len(places) > 1:
        yield hit(change, f"Model and endpoint are in different regions: {', '.join(sorted(places))}.", "mixes regions")


DIGEST = Rule(
    id="image-not-by-digest",
    severity=Severity.HIGH,
    finds="A model, page, job or SageMaker container whose image is not named `…@sha256:…`.",
    reason="A tag can be moved: what was reviewed is then not what runs, and no plan shows it.",
    cure="Take the `image_uri` of a `vertex_image_build`, or write the digest.",
    find=_digest,
)
MEMORY = Rule(
    id="memory-too-small",
    severity=Severity.HIGH,
    finds="A machine whose accelerator's memory does not hold the weights in `model.dtype` and a tenth more.",
    reason="The container ends out of memory after the 20 GB image was pulled: half an hour for nothing.",
    cure="A smaller dtype or a larger machine; cdk/machines.py lists what each has.",
    find=_memory,
)
REGION = Rule(
    id="region-mismatch",
    severity=Severity.HIGH,
    finds="An endpoint, model, repository or page outside `google.region`, a model whose image is elsewhere, or one "
    "deployed to another region's endpoint.",
    reason="Vertex AI refuses a model whose image is elsewhere, and traffic between regions is slow and paid for.",
    cure="One region for all of it: google.region.",
    find=_regions,
)
