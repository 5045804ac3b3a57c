"""Every refusal of a configuration as real Terraform shows it: one `validate` of all of them, and plans."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from tests.provider.bodies import changed
from tests.provider.wrong_values import CONTAINER, DOUBTED, DYNAMIC, IMAGE, PASSED, PLACE, RESOURCES, RIGHT, WRONG

pytestmark = [pytest.mark.e2e]


def hcl(values, indent="  "):
    """A body in Terraform's language: lists of objects are blocks, maps are attributes, `timeouts` is a block."""
    lines = []
    for name, value in values.items():
        blocks = value if isinstance(value, list) and value and isinstance(value[0], dict) else []
        blocks = [value] if name == "timeouts" else blocks
        for block in blocks:
            lines += [f"{indent}{name} {{", *hcl(block, indent + "  "), f"{indent}}}"]
        if not blocks:
            lines.append(f"{indent}{name} = {json.dumps(value)}")
    return lines


def document(cases):
    lines = []
    for number, (kind, path, value, *_) in enumerate(cases):
        lines += [f'resource "vertex_{kind}" "case_{number}" {{', *hcl(changed(RIGHT[kind], path, value)), "}"]
    return "\n".join(lines)


def validated(folder, cases):
    """What `terraform validate -json` says: (severity, said, the line it points at), by the number of the case."""
    text = document(cases)
    (folder.folder / "main.tf").write_text(text)
    done = subprocess.run(
        ["terraform", "validate", "-json"],
        cwd=folder.folder,
        env=folder.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    found = {}
    lines = text.splitlines()
    for one in json.loads(done.stdout)["diagnostics"]:
        at = one["range"]["start"]["line"]
        above = next(line for line in reversed(lines[:at]) if line.startswith("resource"))
        number = int(re.search(r"case_(\d+)", above)[1])
        found.setdefault(number, []).append((one["severity"], f"{one['summary']}. {one['detail']}", lines[at - 1]))
    return found


@pytest.fixture(scope="module")
def wrong(workspace):
    return validated(workspace("wrong"), WRONG)


@pytest.mark.parametrize(
    "number", range(len(WRONG)), ids=[f"{kind}-{path[-1]}-{n}" for n, (kind, path, *_) in enumerate(WRONG)]
)
def test_a_wrong_value_is_refused_at_its_own_line_with_what_is_allowed(wrong, number):
    _, path, _, said = WRONG[number]

    ((severity, text, line),) = wrong[number]
    assert severity == "error"
    assert said in text
    # The line is the attribute's, or, for what is missing, that of the block around it.
    name = re.search(r"^\w+", line.strip())[0]
    assert name in {one for one in path if isinstance(one, str)} | set(re.findall(r"\w+", text))


def test_what_may_work_is_a_warning(workspace):
    found = validated(workspace("doubted"), DOUBTED)

    for number, (*_, said) in enumerate(DOUBTED):
        ((severity, text, _),) = found[number]
        assert severity == "warning"
        assert said in text


def test_what_is_right_or_not_known_to_anybody_here_passes(workspace):
    right = [(kind, (next(iter(body)),), next(iter(body.values()))) for kind, body in RIGHT.items()]

    assert validated(workspace("passed"), [*PASSED, *right]) == {}


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (IMAGE.replace("europe-west4", "us-central1"), "Put both into one region: got us-central1 and europe-west4"),
        (IMAGE.replace("europe-west4", "us"), "us is a multi-region, which Vertex AI does not pull from"),
    ],
)
def test_a_repository_in_another_region_than_the_model_is_refused_at_plan(workspace, image, said):
    folder = workspace("regions").write(model={"display_name": "Flan", "container_spec": [{"image_uri": image}]})

    assert said in folder.refused("plan", "-input=false")


def test_what_is_not_known_yet_passes_and_is_planned(workspace):
    folder = workspace("unknown")
    folder.write()
    unknown = "${terraform_data.later.output}"
    deployed = changed(RIGHT["endpoint_deployed_model"], ("model",), unknown) | {"deployed_model_id": unknown}
    deployed = changed(deployed, (*RESOURCES, "max_replica_count"), "${length(terraform_data.later.output)}")
    spec = CONTAINER | {"image_uri": unknown, "health_route": unknown, "deployment_timeout": unknown}
    body = {"display_name": unknown, "model_id": unknown, "labels": {"key": unknown}, "container_spec": [spec]}
    content = json.loads((folder.folder / "main.tf.json").read_text())
    content["resource"] = {
        "terraform_data": {"later": {"input": "${timestamp()}"}},
        "vertex_model": {"this": body},
        "vertex_endpoint_deployed_model": {"this": deployed},
        "vertex_image_build": {"this": RIGHT["image_build"] | {"content_hash": unknown, "revision": unknown}},
    }
    (folder.folder / "main.tf.json").write_text(json.dumps(content))

    assert "Plan: 4 to add" in folder.run("plan", "-input=false")


def test_shares_of_one_endpoint_that_are_more_than_all_are_refused_at_plan(workspace):
    folder = workspace("shares")
    bodies = {
        track: RIGHT["endpoint_deployed_model"] | {"track": track, "traffic_percent": percent}
        for track, percent in (("main", 90), ("canary", 30))
    }
    (folder.folder / "main.tf").write_text(
        "\n".join(
            f'resource "vertex_endpoint_deployed_model" "{name}" {{\n' + "\n".join(hcl(body)) + "\n}"
            for name, body in bodies.items()
        )
    )
    folder.write()
    said = folder.refused("plan", "-input=false")

    assert "1 is to give 120 % of its traffic" in said
    assert "allowed is 100 in all" in said


def test_blocks_that_are_not_known_yet_pass_and_are_planned(workspace):
    folder = workspace("dynamic").write()
    (folder.folder / "main.tf").write_text(DYNAMIC.format(image=IMAGE, place=PLACE))

    assert "Plan: 4 to add" in folder.run("plan", "-input=false")
