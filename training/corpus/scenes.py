"""The kinds of talk, by name."""

from __future__ import annotations

from collections.abc import Callable

from training.corpus import favours, plans
from training.corpus.talk import Talk, Told

SCENES: dict[str, Callable[[Talk], Told]] = {
    "errand": favours.errand,
    "left_behind": favours.left_behind,
    "arrival": favours.arrival,
    "lift": favours.lift,
    "job": favours.job,
    "loan": favours.loan,
    "call": favours.call,
    "meeting": plans.meeting,
    "pastime": plans.pastime,
    "change_of_plan": plans.change_of_plan,
    "meal": plans.meal,
    "present": plans.present,
    "appointment": plans.appointment,
    "table": plans.table,
    "sale": plans.sale,
}
