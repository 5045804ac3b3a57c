"""What the page says: title, description, instructions, price. Plain strings; knows no gradio, asks nothing."""

from __future__ import annotations

import re

from ui.config import UiConfig

TITLE = "LLM demo: Flan-T5 XXL in Vertex AI Prediction"
DESCRIPTION = (
    "This demo shows [Flan-T5-XX-large](https://huggingface.co/google/flan-t5-xxl), a 11B model deployed in Vertex AI "
    "Prediction. Note that T5 expects a very specific format of the prompts, so the examples below are not necessarily "
    "the best prompts to compare."
)
# The first demo's USD 170 = 24 h x (4.22 for the Vertex machine + 2.93 for the A100 that this price already contains).
SEED_PRICE = (
    "The first version of this demo said USD 170 per day: it added the GPU to a machine price that already includes it."
)


def description(config: UiConfig) -> str:
    """The first demo's description, and what answers here when that is another model."""
    if is_flan_t5_xxl(config.model_name):
        return DESCRIPTION
    return (
        f"{DESCRIPTION}\n\n**This endpoint runs {markdown(config.model_name)}, not Flan-T5 XXL:** the same system with "
        "another model, so expect what that model was trained for."
    )


def is_flan_t5_xxl(model_name: str) -> bool:
    return "flant5xxl" in re.sub(r"[^a-z0-9]", "", model_name.lower())


def instructions(config: UiConfig) -> str:
    """The first demo's instructions, with a price that is true."""
    tuning = (
        "This version does not contain any fine-tuning, it's just the checkpoints as published in "
        "[the paper](https://arxiv.org/abs/2210.11416.pdf)."
        if is_flan_t5_xxl(config.model_name)
        else "Flan-T5 is used as published in [the paper](https://arxiv.org/abs/2210.11416.pdf), with no fine-tuning; "
        f"{markdown(config.model_name)} runs here in its place."
    )
    return "\n".join(
        (
            "**INSTRUCTIONS. PLEASE READ:**\n",
            "* REFRESH the page in case of errors or after some idle time.",
            f"* {tuning}",
            "* Do NOT try to input code. This version does NOT work well with code.",
            "* Although works with other languages (Spanish), try mainly English examples.",
            f"* {running_cost(config)} {SEED_PRICE}",
        )
    )


def running_cost(config: UiConfig) -> str:
    cost = config.price_usd_per_hour
    if cost is None:
        return "Resources for this demo (CPU, GPU, RAM) cost money while it is up, so it may be offline."
    if cost == 0:
        return "Resources for this demo (CPU, GPU, RAM) cost nothing here."
    return (
        f"Resources for this demo (CPU, GPU, RAM) cost **{usd(cost)} per hour, about {usd_whole(cost * 24)} per day**, "
        "for as long as they are deployed, asked or not, so it may be offline."
    )


def price(config: UiConfig) -> str:
    """The price in one short line."""
    cost = config.price_usd_per_hour
    if cost is None:
        return "not known to this page"
    if cost == 0:
        return "USD 0"
    where = f" in {config.where}" if config.where else ""
    return f"{usd(cost)} per hour{where} (list price)"


def usd(amount: float) -> str:
    return f"USD {amount:,.2f}"


def usd_whole(amount: float) -> str:
    return f"USD {amount:,.0f}" if amount >= 10 else usd(amount)


def markdown(text: str) -> str:
    """A name that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&$-])", r"\\\1", text)
