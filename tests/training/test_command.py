import signal
import sys

import pytest

from training.__main__ import main


@pytest.fixture(autouse=True)
def _handlers_come_back():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["training", *arguments])
    return main()


def test_corpus_prints_as_many_dialogues_as_asked(monkeypatch, capsys):
    assert run(monkeypatch, "corpus", "--count", "3", "--split", "train") == 0

    assert capsys.readouterr().out.count("\n=> ") == 3


def test_evaluate_says_when_a_folder_is_no_model(monkeypatch, capsys, tmp_path):
    assert run(monkeypatch, "evaluate", "--model", str(tmp_path)) == 1

    assert "no config.json" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_named_before_the_training(monkeypatch, capsys, tmp_path):
    (tmp_path / "file").write_text("")

    assert run(monkeypatch, "make", "--out", str(tmp_path / "file" / "model"), "--run", str(tmp_path)) == 1

    assert f"{tmp_path / 'file' / 'model'}: Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["0", "-3", "many"])
def test_a_count_below_one_is_refused_with_what_is_allowed(monkeypatch, capsys, value):
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, "corpus", "--count", value)

    assert stopped.value.code == 2
    assert f"got {value}; allowed is a whole number from 1" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["--help"], ["make", "--help"], ["evaluate", "--help"], ["corpus", "--help"]])
def test_every_command_explains_itself(monkeypatch, capsys, command):
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, *command)

    assert stopped.value.code == 0
    assert "usage: python -m training" in capsys.readouterr().out
