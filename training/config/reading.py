"""Puts a task's settings together: its file, then TRAINING_CONFIG, then `--set`; the later wins.

Raises `BadConfig` in the words of whoever set the value. Knows nothing of what the settings do.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from training.config.task import TaskConfig

TASKS = Path(__file__).resolve().parent.parent / "tasks"
VARIABLE = "TRAINING_CONFIG"
DEFAULT_TASK = "generated-dialogues"

Values = dict[str, Any]


class BadConfig(ValueError):
    """The settings do not describe a training; the message says which, what was got, and what is allowed."""


def task_names() -> list[str]:
    return sorted(path.stem for path in TASKS.glob("*.toml"))


def read(task: str | None, *, environment: Mapping[str, str], changes: Sequence[str] = ()) -> TaskConfig:
    """task: name of a file in training/tasks/, or path of another. changes: `key.of.setting=value`, as given to --set.

    TRAINING_CONFIG holds a JSON object of the same shape as a task file; its `task` names the file to start from when
    none was named.
    """
    text = environment.get(VARIABLE, "").strip()
    given = _json(text) if text else {}
    named = task or str(given.get("task") or DEFAULT_TASK)
    values = _file(named)
    if task is None and "task" in given:
        given = {key: value for key, value in given.items() if key != "task"}  # it named the file
    _merge(values, given)
    for change in changes:
        _merge(values, _change(change))
    try:
        return TaskConfig.model_validate(values)
    except ValidationError as error:
        raise BadConfig("; ".join(_sentence(problem) for problem in error.errors(include_url=False))) from None


def _file(named: str) -> Values:
    path = TASKS / f"{named}.toml"
    if not path.is_file():
        path = Path(named)
    if not path.is_file():
        raise BadConfig(f"no task {named!r}: known are {', '.join(task_names())}, or the path of a TOML file")
    try:
        return tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path} is no TOML: {error}") from None


def _json(text: str) -> Values:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise BadConfig(f"{VARIABLE} is no JSON: {error}") from None
    if not isinstance(values, dict):
        raise BadConfig(f"{VARIABLE} must be a JSON object such as a task file describes, got {text[:60]}")
    return values


def _change(change: str) -> Values:
    """`optimizer.epochs=3` -> {"optimizer": {"epochs": 3}}. A value that is no TOML value is a text."""
    name, equals, text = change.partition("=")
    keys = name.strip().split(".")
    if not equals or not all(keys):
        raise BadConfig(f"--set takes name=value, such as optimizer.epochs=3; got {change!r}")
    try:
        value: Any = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    for key in reversed(keys):
        value = {key: value}
    return dict(value)


def _merge(values: Values, changes: Values) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value


def _sentence(problem: Any) -> str:
    path = [str(part) for part in problem["loc"]]
    where = ".".join(path) or "the task"
    if problem["type"] == "extra_forbidden":
        return f"{where} is not known; known are {', '.join(_known(path[:-1]))}"
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{where} {message}, got {problem['input']!r}"


def _known(path: Sequence[str]) -> list[str]:
    """Names of the settings at a place."""
    model: Any = TaskConfig
    for name in path:
        field = model.model_fields.get(name)
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return []
        model = field.annotation
    return list(model.model_fields)
