"""The page: which controls there are, where they stand, what a press does. Knows no HTTP and no credentials."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gradio as gr

from ui import examples, prose
from ui.asking import View, ask
from ui.config import UiConfig
from ui.endpoint_client import EndpointClient
from ui.generation import GenerationSettings, WrongSetting, seed_of
from ui.markup import facts, status

CSS = Path(__file__).with_name("page.css")
JS = Path(__file__).with_name("page.js")
DEFAULTS = GenerationSettings()


def theme() -> Any:
    """System fonts alone: nothing is fetched, and the text stands at once."""
    return gr.themes.Default(
        primary_hue="blue", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    ).set(
        # the default greys are too light to read on white
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
    )


def build_page(config: UiConfig, client: EndpointClient) -> gr.Blocks:
    with gr.Blocks(title=prose.TITLE, analytics_enabled=False) as page:
        gr.Markdown(f"# {prose.TITLE}\n\n{prose.description(config)}")
        gr.HTML(
            facts({"Model": config.model_name, "Endpoint": config.endpoint, "Price": prose.price(config)}),
            elem_id="facts",
        )
        with gr.Row():
            with gr.Column(min_width=320):
                prompt = _prompt()
                with gr.Row():
                    ask_button = gr.Button("Ask the model", variant="primary", elem_id="ask")
                    cancel_button = gr.Button("Cancel", interactive=False, elem_id="cancel")
                settings = _settings()
            with gr.Column(min_width=320):
                answer = gr.Textbox(
                    label="Answer", lines=5, max_lines=20, interactive=False, buttons=["copy"], elem_id="answer"
                )
                line = gr.HTML(elem_id="status")
        _examples(prompt, is_flan_first=prose.is_flan_t5_xxl(config.model_name))
        gr.Markdown(prose.instructions(config), elem_id="instructions")
        _wire(client, prompt=prompt, settings=settings, outputs=[answer, line, ask_button, cancel_button])
    return page


def _prompt() -> Any:
    return gr.Textbox(
        label="Prompt",
        info="Ctrl+Enter asks.",
        placeholder="Summarize, translate, answer: say what to do, then give the text.",
        lines=7,
        max_lines=20,
        elem_id="prompt",
    )


def _settings() -> list[Any]:
    """In the order of `GenerationSettings`. The server has the last word on every limit, and says it."""
    with gr.Accordion("How to generate", open=False, elem_id="settings"):
        return [
            gr.Slider(1, 512, DEFAULTS.max_new_tokens, step=1, label="max_new_tokens", info="The longest answer."),
            gr.Slider(
                0,
                2,
                DEFAULTS.temperature,
                step=0.05,
                label="temperature",
                info="0 takes the likeliest token each time; above it tokens are drawn, more freely the higher.",
            ),
            gr.Slider(0, 200, DEFAULTS.top_k, step=1, label="top_k", info="Draw from the k likeliest; 0 from all."),
            gr.Slider(
                0.05,
                1,
                DEFAULTS.top_p,
                step=0.05,
                label="top_p",
                info="Draw from the likeliest tokens that together reach this probability.",
            ),
            gr.Slider(
                1,
                2,
                DEFAULTS.repetition_penalty,
                step=0.05,
                label="repetition_penalty",
                info="Above 1 makes repeating less likely.",
            ),
            # not gr.Number: that one shows and sends 0 where nothing is written
            gr.Textbox(
                label="seed",
                info="The same seed draws the same answer. Used when temperature is above 0.",
                placeholder="empty: a new draw each time",
                max_length=19,
            ),
            gr.Textbox(label="stop", info="Text that ends the answer; one per line, at most four.", lines=2),
        ]


def _examples(prompt: Any, *, is_flan_first: bool) -> None:
    """Both sets, the one that suits the deployed model first."""
    sets = [
        ("dialogues", "Dialogues to summarize", examples.DIALOGUES),
        ("flan", "The examples of the first Flan-T5 XXL demo", examples.FLAN),
    ]
    for name, heading, offered in reversed(sets) if is_flan_first else sets:
        gr.Markdown(f"## {heading}")
        gr.Examples(
            [[text] for _, text in offered],
            inputs=prompt,
            example_labels=[label for label, _ in offered],
            examples_per_page=len(offered),
            elem_id=name,
            api_visibility="private",
        )


def _wire(client: EndpointClient, *, prompt: Any, settings: list[Any], outputs: list[Any]) -> None:
    answer, line, ask_button, cancel_button = outputs

    async def on_ask(text: str | None, *values: Any) -> AsyncIterator[dict[Any, Any]]:
        try:
            settings = generation_settings(*values)
        except WrongSetting as error:
            yield show(View("error", str(error)))
            return
        async for view in ask(client, text or "", settings):
            yield show(view)

    def show(view: View) -> dict[Any, Any]:
        is_waiting = view.kind == "waiting"
        changes = {
            line: status(view.kind, view.status),
            ask_button: gr.Button(interactive=not is_waiting),
            cancel_button: gr.Button(interactive=is_waiting),
        }
        return changes if view.answer is None else {answer: view.answer, **changes}

    asking = ask_button.click(
        on_ask,
        [prompt, *settings],
        outputs,
        show_progress="hidden",
        # waiting costs this process next to nothing; the client bounds its connections, the server its queue
        concurrency_limit=None,
        # for gradio_client: the same call that the button makes, no more open than the page
        api_name="ask",
    )
    cancel_button.click(
        lambda: show(View("done", "Cancelled.")),
        None,
        [line, ask_button, cancel_button],
        cancels=[asking],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


def generation_settings(*values: Any) -> GenerationSettings:
    """From the controls' values; an emptied number means its default."""
    max_new_tokens, temperature, top_k, top_p, repetition_penalty, seed, stop = values
    return GenerationSettings(
        max_new_tokens=int(max_new_tokens or DEFAULTS.max_new_tokens),
        temperature=float(temperature or 0),
        top_k=int(top_k or 0),
        top_p=float(top_p or 1),
        repetition_penalty=float(repetition_penalty or 1),
        seed=seed_of(seed or ""),
        stop=stop or "",
    )
