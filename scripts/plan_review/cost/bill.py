"""The bill of a plan: every resource's line before and after, and what the change itself costs once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cdk.config import DeploymentConfig
from cdk.prices.table import PriceUnknown, table
from scripts.plan_review.cost.amounts import Bill, Cost, Line, Once
from scripts.plan_review.cost.pricing import Priced, Surroundings, priced
from scripts.plan_review.plan.follows import Follow
from scripts.plan_review.plan.plans import Action, Change, Document, StackPlan
from scripts.plan_review.plan.redeployment import redeployment
from scripts.plan_review.plan.values import block

FREE_DISK_GB = 100  # of a build's disk
DEFAULT_BUILD_MACHINE = "E2_STANDARD_2"  # what Cloud Build takes when a trigger names none


def bill(plans: Sequence[StackPlan], followed: Sequence[Follow], config: DeploymentConfig) -> Bill:
    """What all stacks cost together, whether they change or not."""
    lines = tuple(
        line
        for plan in plans
        for change in plan.changes
        if (line := _line(change, Surroundings(config, plan.region or config.google.region))) and line.is_told
    )
    builds = _builds(plans)
    once = tuple(
        one
        for plan in plans
        for change in plan.changes
        for one in _once(change, builds, followed, Surroundings(config, plan.region or config.google.region))
    )
    return Bill(lines, once, dated=table().dated)


def _line(change: Change, where: Surroundings) -> Line | None:
    before = priced(change.type, change.before, where) if change.before is not None else None
    stays = change.action is not Action.DESTROY and change.after is not None
    after = priced(change.type, _filled(change), where) if stays else None
    said = after or before
    if said is None:
        return None
    gone = after.cost if after else None
    return Line(
        change.stack,
        change.address,
        _what(before, after),
        before.cost if before else None,
        gone,
        said.note,
        said.source,
    )


def _filled(change: Change) -> Document:
    """What it will be; what is only known after the apply as it was before, or missing."""
    values, before = dict(change.after or {}), change.before or {}
    for key in change.unknown if isinstance(change.unknown, dict) else {}:
        if values.get(key) is None and before.get(key) is not None and change.action is Action.CHANGE:
            values[key] = before[key]
    # An update takes leftovers down, and ends with at most the one that it keeps.
    if change.action is Action.CHANGE:
        values.pop("leftover_deployed_model_ids", None)
    return values


def _what(before: Priced | None, after: Priced | None) -> str:
    if before is None or after is None or before.what == after.what:
        return (after or before or Priced("", Cost())).what
    return f"{before.what} → {after.what}"


def _builds(plans: Sequence[StackPlan]) -> dict[str, Document]:
    """What each image is built with, by image name: the build of the trigger that names it."""
    return {
        image: block(change.values, "build")
        for plan in plans
        for change in plan.of_type("google_cloudbuild_trigger")
        if change.action is not Action.DESTROY
        and (image := str(block(change.values, "substitutions").get("_IMAGE") or ""))
    }


def _once(
    change: Change, builds: dict[str, Document], followed: Sequence[Follow], where: Surroundings
) -> Iterator[Once]:
    if change.type == "vertex_image_build" and change.arrives:
        yield _build(change, builds.get(str(change.values.get("image") or "")))
    if change.type == "vertex_custom_job" and change.arrives:
        yield _run(change, where)
    moved = redeployment(change, followed)
    if moved is not None and moved.beside:
        each = priced(change.type, change.values, where)
        if each is not None:
            hours = _hours(str(block(change.values, "timeouts").get("update") or "1h"))
            usd = None if each.cost.unknown else each.cost.low * hours
            yield Once(change.stack, change.address, usd, f"old and new run beside each other for at most {hours:g} h")


def _build(change: Change, build: Document | None) -> Once:
    if build is None:
        return Once(change.stack, change.address, None, "one build; what its trigger is like is not in these plans")
    options = block(build, "options")
    machine, minutes = options.get("machine_type") or DEFAULT_BUILD_MACHINE, _hours(build.get("timeout") or "600s") * 60
    what = f"one build of at most {minutes:g} min on {machine}"
    extra_gb = int(options.get("disk_size_gb") or 0) - FREE_DISK_GB
    if extra_gb > 0:
        what += f"; {extra_gb} GB of its disk beyond the free {FREE_DISK_GB} GB are not in this: price unknown"
    try:
        return Once(change.stack, change.address, table().rate("cloud-build", machine, "anywhere").usd * minutes, what)
    except PriceUnknown as error:
        return Once(change.stack, change.address, None, f"{what}: {error}")


def _run(change: Change, where: Surroundings) -> Once:
    """A job's machines, for as long as it may run; Google ends a job after seven days when nobody says otherwise."""
    hours = _hours(str(block(change.values, "scheduling").get("timeout") or "168h"))
    usd, told = 0.0, []
    for pool in change.values.get("worker_pool_specs") or []:
        machine, count = str(block(pool, "machine_spec").get("machine_type")), int(pool.get("replica_count") or 1)
        told.append(f"{count} x {machine}")
        try:
            usd += table().rate("vertex-training", machine, where.region).usd * count * hours
        except PriceUnknown as error:
            return Once(change.stack, change.address, None, f"one run on {', '.join(told)}: {error}")
    return Once(change.stack, change.address, usd, f"one run on {', '.join(told)} for at most {hours:g} h")


def _hours(duration: str) -> float:
    """Terraform's and Google's durations: `7200s`, `90m`, `1h30m`."""
    seconds = {"h": 3600, "m": 60, "s": 1}
    hours, number = 0.0, ""
    for letter in duration:
        if letter in seconds:
            hours, number = hours + float(number or 0) * seconds[letter] / 3600, ""
        else:
            number += letter
    return hours
