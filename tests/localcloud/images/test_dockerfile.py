"""Dockerfiles are read as Docker reads them."""

import pytest

from localcloud.images.dockerfile import DockerfileError, expand, parse


def test_continued_lines_and_the_comments_between_them_are_one_instruction():
    (_, run) = parse("FROM a\nRUN one \\\n  # why\n  && two \\\n\n  && three\n")

    assert (run.name, run.value.split(), run.line) == ("RUN", ["one", "&&", "two", "&&", "three"], 2)


def test_a_word_cut_by_a_continuation_is_one_word():
    assert parse("FROM a\nENV A=on\\\ne B=2\n")[1].pairs() == [("A", "one"), ("B", "2")]


def test_what_a_shell_could_not_split_is_refused_with_its_line():
    with pytest.raises(DockerfileError, match=r"line 2: ENV .* No closing quotation"):
        parse('FROM a\nENV A="one\n')[1].pairs()


def test_the_lines_of_a_heredoc_are_no_instructions():
    names = [one.name for one in parse("FROM a\nRUN <<EOT\nCOPY x y\nnonsense\nEOT\nCMD run\n")]

    assert names == ["FROM", "RUN", "CMD"]


def test_flags_stand_apart_from_the_value():
    copy = parse("FROM a\nCOPY --from=build --chown=1:1 /a /b\n")[1]

    assert (dict(copy.flags), copy.value) == ({"from": "build", "chown": "1:1"}, "/a /b")


def test_the_shell_form_of_cmd_runs_under_a_shell_and_the_exec_form_does_not():
    shell, exec_form = parse('FROM a\nCMD echo $HOME\nCMD ["python", "-m", "x"]\n')[1:]

    assert shell.command() == ["/bin/sh", "-c", "echo $HOME"]
    assert exec_form.command() == ["python", "-m", "x"]


def test_env_takes_pairs_with_quotes_and_the_old_form_with_a_space():
    pairs, old = parse('FROM a\nENV A=1 B="two words"\nENV C see d\n')[1:]

    assert pairs.pairs() == [("A", "1"), ("B", "two words")]
    assert old.pairs() == [("C", "see d")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM a\nCOPYY x y\n", "line 2: unknown instruction 'COPYY'"),
        ("FROM a\nCMD\n", "line 2: CMD has no value"),
        ("FROM a\nRUN <<EOT\nx\n", "heredoc EOT is not closed"),
        ("ENV A=1\n", "there is no FROM"),
    ],
)
def test_what_is_not_understood_is_named_with_its_line(text, message):
    with pytest.raises(DockerfileError, match=message):
        parse(text)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$A-${A}-$B", "one-one-"),
        ("${B:-two}-${A:-two}", "two-one"),
        ("${A:+set}-${B:+set}", "set-"),
        (r"\$A", "$A"),
    ],
)
def test_variables_expand_with_their_defaults(text, expanded):
    assert expand(text, {"A": "one"}) == expanded
