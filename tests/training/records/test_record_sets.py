import json

import pytest
from datasets import Dataset

from training.config.reading import BadConfig
from training.config.task import DataConfig
from training.records.record_sets import record_sets

RECORDS = [{"id": i, "dialogue": f"Anna: {i}?\nBen: {i}!", "summary": f"Anna asks {i}."} for i in range(40)]


def sets(tmp_path, source, **settings):
    return record_sets(DataConfig(source=str(source), **settings), seed=7, scratch=tmp_path / "scratch")


def write_jsonl(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    return path


def everything(found):
    return [one for split in (found.train, found.validation, found.test) for one in split["input"]]


def test_a_folder_of_named_files_is_taken_as_it_is_split(tmp_path):
    for name, records in (("train", RECORDS[:30]), ("validation", RECORDS[30:35]), ("test", RECORDS[35:])):
        write_jsonl(tmp_path / "data" / f"{name}.jsonl", records)

    found = sets(tmp_path, tmp_path / "data")

    assert (len(found.train), len(found.validation), len(found.test)) == (30, 5, 5)
    assert found.test[0] == {"input": RECORDS[35]["dialogue"], "target": RECORDS[35]["summary"]}


def test_parquet_as_the_hub_keeps_it_is_read_from_a_folder(tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("train", "validation", "test"):
        Dataset.from_list(RECORDS).to_parquet(tmp_path / "data" / f"{name}-00000-of-00001.parquet")

    assert len(sets(tmp_path, tmp_path).test) == 40


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "parquet"])
def test_a_single_file_is_parted_into_splits_that_share_no_record_and_the_same_way_again(tmp_path, suffix):
    path = tmp_path / f"records.{suffix}"
    {"csv": Dataset.from_list(RECORDS).to_csv, "parquet": Dataset.from_list(RECORDS).to_parquet}.get(
        suffix, Dataset.from_list(RECORDS).to_json
    )(str(path))

    found, again = sets(tmp_path, path), sets(tmp_path, path)

    assert sorted(everything(found)) == sorted(one["dialogue"] for one in RECORDS)
    assert (len(found.train), len(found.validation), len(found.test)) == (32, 4, 4)
    assert everything(found) == everything(again)


def test_records_without_text_are_left_out_and_no_more_are_taken_than_asked(tmp_path):
    holes = [{"dialogue": "", "summary": "a"}, {"dialogue": "b", "summary": None}, {"dialogue": " ", "summary": "c"}]
    path = write_jsonl(tmp_path / "records.jsonl", [*holes, *RECORDS])

    assert len(everything(sets(tmp_path, path))) == 40
    assert len(sets(tmp_path, path, max_train=5, max_test=2).train) == 5


def test_another_tasks_columns_are_settings(tmp_path):
    path = write_jsonl(tmp_path / "qa.jsonl", [{"question": f"Who is {i}?", "answer": f"{i}."} for i in range(20)])

    found = sets(tmp_path, path, input="question", target="answer")

    assert found.train.column_names == ["input", "target"]
    assert "Who is" in found.train[0]["input"]


def test_the_generated_corpus_is_a_source_as_any_other(tmp_path):
    found = sets(tmp_path, "generated", max_train=30, max_validation=5, max_test=6)

    assert (len(found.train), len(found.validation), len(found.test)) == (30, 5, 6)
    assert not set(found.train["input"]) & {*found.validation["input"], *found.test["input"]}


def test_an_id_that_the_hub_cannot_give_is_refused_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))

    with pytest.raises(BadConfig, match="'nobody/nothing' cannot be read"):
        sets(tmp_path, "nobody/nothing")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"input": "text"}, "data.input: the split 'train' of .* has no column 'text'; it has id, dialogue, summary"),
        ({"train": "training"}, "has no split 'training'; it has train: set data.train"),
    ],
)
def test_a_column_or_split_that_is_not_there_is_named_with_those_that_are(tmp_path, settings, words):
    path = write_jsonl(tmp_path / "records.jsonl", RECORDS)

    with pytest.raises(BadConfig, match=words):
        sets(tmp_path, path, **settings)


@pytest.mark.parametrize("source", ["/nowhere/at/all", "missing.jsonl", "./missing"])
def test_a_path_that_does_not_exist_is_not_sought_on_the_hub(tmp_path, source):
    with pytest.raises(BadConfig, match="does not exist"):
        sets(tmp_path, source)


def test_a_file_that_nobody_can_read_is_refused_with_the_kinds_that_are_known(tmp_path):
    (tmp_path / "records.xml").write_text("<a/>")
    write_jsonl(tmp_path / "empty.jsonl", [{"dialogue": "", "summary": ""}] * 20)
    (tmp_path / "broken.jsonl").write_text("{")

    with pytest.raises(BadConfig, match=r"ends with \.xml; known are \.jsonl, \.json, \.csv, \.parquet"):
        sets(tmp_path, tmp_path / "records.xml")
    with pytest.raises(BadConfig, match="has no record"):
        sets(tmp_path, tmp_path / "empty.jsonl")
    with pytest.raises(BadConfig, match="cannot be read"):
        sets(tmp_path, tmp_path / "broken.jsonl")
