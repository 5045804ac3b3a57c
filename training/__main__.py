"""`python -m training`: tunes a model, makes the embedded dialogue model, evaluates a model, or shows the corpus."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from training.scale import command as scale
from training.tuning import command as tuning

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "models" / "dialogue-t5-mini"
RUN = ROOT / ".flanstack" / "training"
NUM_TEST = 1000
NUM_TOKENIZER_DIALOGUES = 8000
COMMAND = "python -m training make"


def make(arguments: argparse.Namespace) -> int:
    """Corpus, tokenizer, training, evaluation, export."""
    import torch

    from training.corpus.dialogues import take
    from training.embedded.export import export
    from training.embedded.tokenizer import train_tokenizer
    from training.embedded.train import Recipe, Training

    for folder in (arguments.out, arguments.run):
        folder.mkdir(parents=True, exist_ok=True)  # a folder that cannot be made is better known before the training
    torch.set_num_threads(arguments.threads)
    started = time.monotonic()
    recipe = Recipe() if arguments.steps is None else replace(Recipe(), steps=arguments.steps)
    texts = (text for one in take("train", NUM_TOKENIZER_DIALOGUES, recipe.seed) for text in (one.prompt, one.summary))
    tokenizer = train_tokenizer(texts, vocab_size=recipe.vocab_size)
    recipe = replace(recipe, vocab_size=len(tokenizer))
    training = Training(recipe, tokenizer, arguments.run, tell=say)
    if training.resume():
        print(f"going on at step {training.step} of {arguments.run}")
    model = training.run()
    trained_s = time.monotonic() - started
    made = f"Trained by `{COMMAND}` in {trained_s:.0f} s on {torch.get_num_threads()} CPU thread(s)"
    card = export(model, tokenizer, arguments.out, recipe=recipe, test=take("test", NUM_TEST, recipe.seed), made=made)
    training.checkpoint.unlink()
    print(f"{arguments.out}: {card.test}, after {time.monotonic() - started:.0f} s")
    print("The folder has changed: `make pin-weights ENV=local` pins its sums.")
    return 0


def say(text: str) -> None:
    print(text, flush=True)


def evaluate(arguments: argparse.Namespace) -> int:
    """ROUGE and facts of a model folder, on the test split and on the handwritten dialogues."""
    from training.corpus.dialogues import take
    from training.corpus.handwritten import DRAFTED, HANDWRITTEN
    from training.embedded.evaluation import evaluate as score
    from training.embedded.evaluation import has_every_fact
    from training.embedded.export import load

    if not (arguments.model / "config.json").exists():
        print(f"{arguments.model} is no model folder: it has no config.json", file=sys.stderr)
        return 1
    model, tokenizer = load(arguments.model)
    print(f"test split: {score(model, tokenizer, take('test', arguments.count, arguments.seed))}")
    for name, held in (("handwritten", HANDWRITTEN), ("handwritten while drafting", DRAFTED)):
        typed = score(model, tokenizer, list(held))
        print(f"{name}: every fact right in {typed.num_right} of {typed.count}")
        for one, output in zip(held, typed.outputs, strict=True):
            print(f"  {'right' if has_every_fact(one, output) else 'WRONG'}  {output}")
    return 0


def corpus(arguments: argparse.Namespace) -> int:
    """Some examples of a split."""
    from training.corpus.dialogues import take

    for one in take(arguments.split, arguments.count, arguments.seed):
        print(f"{one.dialogue}\n=> {one.summary}\n")
    return 0


def launch(arguments: argparse.Namespace) -> int:
    """fine-tune as one process on each GPU of each machine."""
    return scale.launch(arguments, tuning.passed_on(arguments))


def positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text}; allowed is a whole number from 1")
    return int(text)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, work: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=work.__doc__)
        sub.set_defaults(work=work)
        return sub

    tuning.add(command("fine-tune", tuning.fine_tune))
    launching = command("launch", launch)
    scale.add_launch(launching)
    tuning.add(launching)
    scale.add_worker_pool(command("worker-pool", scale.worker_pool))
    scale.add_task(command("memory", scale.memory))
    making = command("make", make)
    making.add_argument("--out", type=Path, default=MODEL, help="model folder to write (default %(default)s)")
    making.add_argument("--run", type=Path, default=RUN, help="folder of the run's checkpoint (default %(default)s)")
    making.add_argument("--steps", type=positive, help="fewer or more steps than the recipe's")
    # So small a model gains nothing from a second thread, and steps four times slower when that core is busy.
    making.add_argument("--threads", type=positive, default=1, help="torch threads (default %(default)s)")
    evaluating = command("evaluate", evaluate)
    evaluating.add_argument("--model", type=Path, default=MODEL, help="model folder (default %(default)s)")
    showing = command("corpus", corpus)
    showing.add_argument("--split", choices=["train", "validation", "test"], default="test")
    for sub in (evaluating, showing):
        sub.add_argument("--count", type=positive, default=NUM_TEST if sub is evaluating else 5)
        sub.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell's `&` made Python ignore Ctrl-C
        signal.signal(number, signal.default_int_handler)
    try:
        return int(arguments.work(arguments))
    except KeyboardInterrupt:
        print("\nStopped; the same command goes on from here.", file=sys.stderr)
        return 130
    except OSError as problem:
        print(f"{problem.filename or 'a file'}: {problem.strerror or problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
