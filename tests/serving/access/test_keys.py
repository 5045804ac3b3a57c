"""Keys in their file."""

import pytest

from serving.access.keys import Keys, KeysError, digest_of, new_entry

GOOD = f'[alice]\nsha256 = "{digest_of("sk-a")}"\nrequests_per_minute = 5\n["ci.bot"]\nsha256 = "{digest_of("sk-b")}"\n'


@pytest.fixture
def keys_file(tmp_path):
    def write(text):
        path = tmp_path / "keys.toml"
        path.write_text(text)
        return path

    return write


def test_a_key_is_its_owners_and_no_other_text_is(keys_file):
    keys = Keys.read(keys_file(GOOD))

    assert keys.owner("sk-a").name == "alice"
    assert keys.owner("sk-a").entry.requests_per_minute == 5
    assert keys.owner("sk-b").name == "ci.bot"
    for wrong in ("", "sk-", "sk-A", "sk-a ", digest_of("sk-a"), "x" * 10_000, "\ud800"):
        assert keys.owner(wrong) is None


def test_a_new_entry_holds_the_digest_of_its_key_and_not_the_key(keys_file):
    key, entry = new_entry("alice")

    assert key not in entry
    assert len(key) > 40
    assert Keys.read(keys_file(entry)).owner(key).name == "alice"
    assert new_entry("alice")[0] != key


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no clients; `python -m serving key NAME` makes an entry"),
        ("[alice", "is not TOML"),
        ("[alice]\n", "alice.sha256: Field required"),
        ('[alice]\nsha256 = "sk-plain-key"\n', "alice.sha256: String should match pattern"),
        (GOOD.replace("alice", '"al ice"'), "String should match pattern"),
        (GOOD + "quota = 3\n", "ci.bot.quota: Extra inputs"),
        (GOOD.replace(digest_of("sk-b"), digest_of("sk-a")), "two clients have the same key"),
    ],
)
def test_a_bad_file_is_named_and_shows_no_digest(keys_file, text, sentence):
    with pytest.raises(KeysError) as refused:
        Keys.read(keys_file(text))

    assert sentence in str(refused.value)
    assert digest_of("sk-a") not in str(refused.value)
    assert "sk-plain-key" not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(KeysError, match="cannot be read"):
        Keys.read(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, '"'])
def test_a_name_that_the_file_cannot_hold_is_refused(name):
    with pytest.raises(KeysError, match="a client's name has"):
        new_entry(name)
