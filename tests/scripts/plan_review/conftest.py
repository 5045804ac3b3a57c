"""Plans in the shape of `terraform show -json`, small enough to read, for tests of what a review makes of them."""

import json
from dataclasses import replace

import pytest

from cdk.config import DeploymentConfig, load
from cdk.review import Review as Policy
from scripts.plan_review.plan import plans
from scripts.plan_review.proposal import propose
from scripts.plan_review.review import review

MODELS = "projects/p/locations/europe-west4/models/flan-t5"
ENDPOINT = "projects/p/locations/europe-west4/endpoints/4242001"
DIGEST = "sha256:" + "0123456789abcdef" * 4
IMAGE = f"europe-west4-docker.pkg.dev/p/flan-images/flan-t5-serving@{DIGEST}"
ACTIONS = {"add": ["create"], "change": ["update"], "replace": ["delete", "create"], "destroy": ["delete"]}


def resource(kind, before, after, *, name="it", unknown=None, hidden=None, action=None, new_first=False):
    """One entry of `resource_changes`; the action follows from what is there before and after."""
    if action is None:
        action = "add" if before is None else "destroy" if after is None else "change" if before != after else None
    actions = ["create", "delete"] if new_first else ACTIONS[action] if action else ["no-op"]
    return {
        "address": f"{kind}.{name}",
        "mode": "managed",
        "type": kind,
        "name": name,
        "change": {
            "actions": actions,
            "before": before,
            "after": after,
            "after_unknown": unknown or {},
            "before_sensitive": hidden or {},
            "after_sensitive": hidden or {},
            "replace_paths": [["location"]] if action == "replace" or new_first else [],
        },
    }


def document(*resources, drift=(), outputs=None, expressions=None, terraform="1.11.4", region="europe-west4"):
    """What `terraform show -json` says of one stack. expressions: by address, as its configuration has them."""
    expressions = expressions or {}
    addresses = [one["address"] for one in resources]
    return {
        "format_version": "1.2",
        "terraform_version": terraform,
        "resource_changes": list(resources),
        "resource_drift": list(drift),
        "output_changes": outputs or {},
        "configuration": {
            "provider_config": {"google": {"expressions": {"region": {"constant_value": region}}}},
            "root_module": {
                "resources": [{"address": one, "expressions": expressions.get(one, {})} for one in addresses]
            },
        },
    }


def stack(*resources, name="endpoint", text="", **more):
    """One stack's plan, read as a review reads it."""
    return plans.read(name, json.loads(json.dumps(document(*resources, **more))), text=text)


def deployed(*, machine="a2-highgpu-1g", low=1, high=1, model=f"{MODELS}@1", **more):
    """A deployed model's values."""
    accelerator = {"accelerator_type": "NVIDIA_TESLA_A100", "accelerator_count": 1} if machine[0] == "a" else {}
    spec = [{"machine_type": machine, **accelerator}]
    resources = [{"machine_spec": spec, "min_replica_count": low, "max_replica_count": high, "spot": None}]
    return {"endpoint": ENDPOINT, "model": model, "dedicated_resources": resources, "strategy": "rolling", **more}


def configured(**changes):
    """prod's deployment with a review policy and other values by dotted key, `__` for the dot."""
    base = load("prod").model_dump()
    for key, value in changes.items():
        *tables, last = key.split("__")
        table = base
        for one in tables:
            table = table[one]
        table[last] = value
    return DeploymentConfig(**base)


def proposal(*stacks, config=None):
    return propose(stacks, config or configured(review=Policy().model_dump()))


def found(rule, *stacks, config=None):
    """What one rule finds in these plans."""
    return list(rule.find(proposal(*stacks, config=config)))


def reviewed(*stacks, config=None, **given):
    return review(proposal(*stacks, config=config), **given)


class Plans:
    """The functions above, for tests in other folders than this one."""

    resource = staticmethod(resource)
    document = staticmethod(document)
    stack = staticmethod(stack)
    deployed = staticmethod(deployed)
    configured = staticmethod(configured)
    proposal = staticmethod(proposal)
    found = staticmethod(found)
    reviewed = staticmethod(reviewed)
    replace = staticmethod(replace)
    MODELS, ENDPOINT, IMAGE, DIGEST = MODELS, ENDPOINT, IMAGE, DIGEST


@pytest.fixture(scope="session", name="plans")
def plans_fixture():
    return Plans
