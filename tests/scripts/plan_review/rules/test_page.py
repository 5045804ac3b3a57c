"""docs/plan-review.md has every rule as it is."""

from scripts.plan_review.rules.catalogue import RULES
from scripts.plan_review.rules.page import PAGE, written


def test_the_page_has_the_rules_as_they_are():
    assert PAGE.read_text() == written(PAGE.read_text()), "run `python -m scripts.plan_review.rules.page`"


def test_every_rule_says_what_it_finds_why_and_what_to_do_and_has_a_name_of_its_own():
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert all(text.endswith(".") for text in (rule.finds, rule.reason, rule.cure)), rule.id
