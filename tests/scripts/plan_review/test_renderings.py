"""Markdown within a comment's limit, a terminal's columns, JSON by its schema; the same words in each."""

import json
import re

import jsonschema_rs
import pytest

from cdk.config import ROOT
from provider.deployed_model import promotion
from scripts.plan_review.rendering import document, markdown, terminal

KIND = "vertex_endpoint_deployed_model"
SCHEMA = json.loads((ROOT / "docs" / "plan-review.schema.json").read_text())


@pytest.fixture
def grown(plans):
    config = plans.configured(review={"budget_usd_per_day": 120})
    text = "Terraform will perform the following actions:\n  ~ max_replica_count = 1 -> 3\n"
    stack = plans.stack(plans.resource(KIND, plans.deployed(), plans.deployed(low=3, high=3)), text=text)
    return plans.reviewed(stack, config=config)


def test_every_rendering_has_the_verdict_the_rule_the_cost_and_the_change(grown):
    verdict = "1 changed, +USD 8.62/h, +206.89/day; needs approval: exceeds the budget"

    assert grown.verdict == verdict
    for text in (markdown.render(grown), terminal.render(grown), document.render(grown)):
        for part in (verdict, "budget-exceeded", "capacity-grown", "310.33", "min_replica_count"):
            assert part in text


def test_rendering_twice_gives_the_same_bytes(grown):
    for render in (markdown.render, terminal.render, document.render):
        assert render(grown) == render(grown)


def test_the_json_is_as_its_schema_says(grown, plans):
    jsonschema_rs.validate(SCHEMA, document.as_document(grown))
    jsonschema_rs.validate(SCHEMA, document.as_document(plans.reviewed(plans.stack())))


def test_a_plan_of_a_megabyte_stays_within_a_comment_and_says_how_much_was_cut(plans):
    lines = 20_000
    long = "\n".join(f"  + resource number {number} will be created" for number in range(lines))
    made = plans.reviewed(
        plans.stack(plans.resource(KIND, None, plans.deployed()), text=long),
        plans.stack(text="Terraform will perform: little\n", name="ui"),
    )

    text = markdown.render(made, artefact="the artefact `plan-prod`")

    assert len(text) <= 65_536
    assert "Terraform will perform: little" in text  # the short one is whole
    (cut,) = re.findall(r"… (\d+) lines cut; the whole plan is in the artefact `plan-prod`\.", text)
    assert int(cut) + text.count("resource number") == lines


def test_ten_thousand_changes_stay_within_a_comment_too(plans):
    many = [
        plans.resource(
            "google_storage_bucket", {"name": "x" * 100, "n": 1}, {"name": "x" * 100, "n": 2}, name=f"b{number}"
        )
        for number in range(10_000)
    ]

    text = markdown.render(plans.reviewed(plans.stack(*many)))

    assert len(text) <= 65_536
    assert re.search(r"… and \d+ more", text)


def test_a_limit_below_any_sense_is_kept(grown):
    assert len(markdown.render(grown, max_characters=1000)) <= 1000


def test_a_value_cannot_leave_its_cell(plans):
    evil = plans.deployed(display_name="a|b`c</details>\n## fake")
    text = markdown.render(plans.reviewed(plans.stack(plans.resource(KIND, plans.deployed(), evil))))

    row = next(line for line in text.splitlines() if "`display_name`" in line)
    assert len(re.findall(r"(?<!\\)\|", row)) == 6
    assert "\n## fake" not in text


def test_an_empty_plan_says_so(plans):
    text = markdown.render(plans.reviewed(plans.stack()))

    assert "no changes, the same cost" in text
    assert "None found." in text


def test_colour_is_only_where_it_is_asked_for(grown):
    assert "\x1b[" not in terminal.render(grown)
    assert "\x1b[31m" in terminal.render(grown, colour=True)


def test_metrics_of_both_model_versions_are_told_with_the_rule(plans):
    old = {"labels": {"eval_rouge1": "47_25", "team": "ml-platform", "content": "a"}, "location": "europe-west4"}
    new = old | {"labels": {"eval_rouge1": "48_1", "team": "ml-platform", "content": "b"}}
    promotion = [{"metrics": ["eval_rouge1"], "rule": "all_greater"}]
    serving = plans.deployed(promotion=promotion)
    made = plans.reviewed(
        plans.stack(plans.resource("vertex_model", old, new), name="model"),
        plans.stack(plans.resource(KIND, serving, serving)),
    )

    text = markdown.render(made)

    assert "| `eval_rouge1` | 47.25 | 48.1 |" in text
    assert "Rule: all_greater of eval_rouge1." in text
    assert document.as_document(made)["model_versions"][0]["labels"] == [
        {"label": "eval_rouge1", "old": "47.25", "new": "48.1"}
    ]


def test_a_version_that_a_promotion_rule_must_let_through_says_so(plans):
    output = {"actions": ["update"], "before": f"{plans.MODELS}@1", "after_unknown": True}
    serving = plans.deployed(promotion=[{"metrics": ["eval_rouge1"], "min_gain": 0.5}])
    reference = "data.terraform_remote_state.cross-stack-reference-input-model.outputs.version"
    endpoint = plans.stack(
        plans.resource(KIND, serving, serving), expressions={f"{KIND}.it": {"model": {"references": [reference]}}}
    )

    made = plans.reviewed(plans.stack(name="model", outputs={"version": output}), endpoint)

    ((_, consequence),) = made.follows
    assert consequence == "is redeployed beside the old one, if its promotion rule lets it"


def looking(labels):
    """What the registry tells of a version, by its number."""
    return lambda name: promotion.Version(labels=labels[name.rpartition("@")[2]])


ROUGE = ("eval_rouge1", "eval_rouge2", "eval_rougel")


def verdict(old, new, **block):
    """The provider's own sentence."""
    labels = {"1": dict(zip(ROUGE, old, strict=True)), "2": dict(zip(ROUGE, new, strict=True))}
    block = {"metrics": list(ROUGE), "rule": None, "min_gain": None, "override": None} | block
    return promotion.judge(block, old="m/tuned@1", new="m/tuned@2", look=looking(labels))


@pytest.mark.parametrize(
    ("new", "more", "row", "said"),
    [
        (
            ("48_5", "20_2", "41_0"),
            {},
            "| `eval_rouge1` | 47.2500 | 48.5000 |",
            "promoted tuned@2 over tuned@1 by all_",
        ),
        (
            ("46_5", "20_2", "39_0"),
            {},
            "| `eval_rougel` | 40.0000 | 39.0000 |",
            "; not greater: eval_rouge1, eval_rougel.",
        ),
        ((None, "20_2", "41_0"), {}, "| `eval_rouge1` | 47.2500 | – |", "; not a label of both with a number such as"),
        (
            ("46_5", "20_2", "41_0"),
            {"override": [{"model": "tuned@2", "by": "anna@example.com", "reason": "small | good enough"}]},
            "| `eval_rouge1` | 47.2500 | 46.5000 |",
            "on the word of anna@example.com, who says: small \\| good enough; otherwise refused, since ",
        ),
    ],
)
def test_a_promotion_is_told_as_a_table_of_both_versions_the_rule_and_the_whole_verdict(plans, new, more, row, said):
    old = plans.deployed(promotion=[{"metrics": list(ROUGE)}], promotion_verdict=None)
    after = old | {"promotion_verdict": verdict(("47_25", "20_1", "40_0"), new, **more)}

    text = markdown.render(plans.reviewed(plans.stack(plans.resource(KIND, old, after))))

    (told,) = [line for line in text.splitlines() if line.startswith("Verdict: ")]
    assert "| label | old version | new version |" in text
    assert row in text
    assert "| `eval_rouge2` | 20.1000 | 20.2000 |" in text
    assert "Rule: all_greater of eval_rouge1, eval_rouge2, eval_rougel." in text
    assert said in told
    assert "->" not in told
    assert "…" not in told
