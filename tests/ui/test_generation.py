import pytest

from ui.generation import GenerationSettings, WrongSetting, seed_of


def test_a_greedy_request_asks_for_nothing_that_drawing_needs():
    settings = GenerationSettings(max_new_tokens=64, temperature=0, top_k=50, top_p=0.9, seed=7)

    assert settings.parameters() == {"max_new_tokens": 64, "temperature": 0}


def test_what_is_set_is_in_the_parameters():
    settings = GenerationSettings(
        temperature=0.7, top_k=50, top_p=0.9, repetition_penalty=1.2, seed=0, stop="END\n\n \nbye"
    )

    assert settings.parameters() == {
        "max_new_tokens": 128,
        "temperature": 0.7,
        "top_k": 50,
        "top_p": 0.9,
        "repetition_penalty": 1.2,
        "seed": 0,
        "stop": ["END", "bye"],
    }


def test_no_seed_is_a_new_draw_each_time():
    assert "seed" not in GenerationSettings(temperature=1, seed=seed_of("  ")).parameters()
    assert seed_of(" 7 ") == 7


@pytest.mark.parametrize("wrong", ["-1", "1.5", "abc", "1e3", "²"])
def test_a_seed_that_is_no_whole_number_is_refused_with_what_is_allowed(wrong):
    with pytest.raises(WrongSetting, match=r"a whole number of 0 or more.*got"):
        seed_of(wrong)
