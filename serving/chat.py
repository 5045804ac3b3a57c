"""Makes one prompt of a chat's messages, with a Jinja template in a sandbox. Knows no wire, no tokenizer.

Templates are those of `transformers`: https://huggingface.co/docs/transformers/chat_templating
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from serving.errors import InvalidRequest
from serving.traits import DOLLY_TEMPLATE, Traits

# For a T5, which reads one instruction: a lone message is the prompt as it stands, a system message stands before it,
# and more turns are told line by line.
T5_TEMPLATE = """\
{%- for message in messages if message.role == 'system' %}{{ message.content }}

{% endfor %}
{%- set turns = messages | rejectattr('role', 'equalto', 'system') | list %}
{%- if turns | length == 1 %}{{ turns[0].content }}
{%- else %}
{%- for message in turns %}{{ message.role | capitalize }}: {{ message.content }}
{% endfor %}Assistant:
{%- endif %}"""
DOLLY_CHAT = DOLLY_TEMPLATE.replace("{instruction}", "{{ messages | map(attribute='content') | join('\n\n') }}")


class ChatTemplateError(ValueError):
    """The setting names no template that can be used."""


class ChatTemplate:
    """One per server."""

    def __init__(self, path: str, traits: Traits) -> None:
        """`path`: the setting CHAT_TEMPLATE; empty: the folder's own, or a built-in one. Raises `ChatTemplateError`."""
        self._traits = traits
        self._template = self._compiled(_file(path), path) if path else None

    def prompt(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """Raises `InvalidRequest` when the template refuses these messages."""
        if self._template is None:
            source = self._traits.chat_template or (DOLLY_CHAT if self._traits.is_dolly else T5_TEMPLATE)
            self._template = self._compiled(source, str(self._traits.folder))
        try:
            return self._template.render(messages=messages, add_generation_prompt=True, bos_token="", eos_token="")
        except TemplateError as error:
            raise InvalidRequest(f"the chat template refuses these messages: {error}", param="messages") from None

    def _compiled(self, source: str, where: str) -> Template:
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
        environment.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False, **options)
        environment.globals.update(raise_exception=_refuse, strftime_now=lambda form: datetime.now().strftime(form))
        try:
            return environment.from_string(source)
        except TemplateError as error:
            raise ChatTemplateError(f"the chat template of {where} is no Jinja template: {error}") from None


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def _file(path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, ValueError) as error:
        raise ChatTemplateError(f"CHAT_TEMPLATE {path!r} cannot be read: {error}") from None
