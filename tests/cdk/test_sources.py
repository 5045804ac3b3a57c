"""A content hash stands for what goes into an image, and for nothing else."""

import os
import shutil
import tarfile

import pytest

from cdk.config import load
from cdk.images import Images
from cdk.sources import ImageSource, SourceError, SourceFile, files_of_tree


@pytest.fixture
def tree(tmp_path):
    for name in ("serving/app.py", "serving/wires/vertex.py", "serving/Dockerfile", "ui/page.py", "ui/Dockerfile"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    model = tmp_path / "models" / "dialogue-t5-mini"
    model.mkdir(parents=True)
    for name in load("local").model.weights.files:
        (model / name).write_text(name)
    return tmp_path


def hashes(root):
    images = Images(load("local"), root=root)
    return images.serving.content_hash, images.ui.content_hash


def test_a_changed_serving_file_changes_that_images_hash_alone(tree):
    serving, ui = hashes(tree)
    with (tree / "serving" / "app.py").open("a") as file:
        file.write("#")

    changed_serving, changed_ui = hashes(tree)
    assert changed_serving != serving
    assert changed_ui == ui


def test_a_changed_page_file_changes_that_images_hash_alone(tree):
    serving, ui = hashes(tree)
    (tree / "ui" / "new.css").write_text("")

    assert hashes(tree)[0] == serving
    assert hashes(tree)[1] != ui


def test_times_caches_and_other_rooms_change_no_hash(tree):
    before = hashes(tree)
    os.utime(tree / "serving" / "app.py", (1, 1))
    (tree / "serving" / "__pycache__").mkdir()
    (tree / "serving" / "__pycache__" / "app.cpython-311.pyc").write_bytes(b"x")
    (tree / "serving" / ".DS_Store").write_bytes(b"x")
    (tree / "models" / "dialogue-t5-mini" / "README.md").write_text("a model card goes into no image")
    (tree / "README.md").write_text("hello")

    assert hashes(tree) == before


def test_the_same_tree_elsewhere_has_the_same_hash_and_archive(tree, tmp_path_factory):
    other = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(tree, other)  # other times, other inode order

    one, two = (Images(load("local"), root=root).serving for root in (tree, other))
    assert one.content_hash == two.content_hash
    assert one.write_archive(tree / "out").read_bytes() == two.write_archive(other / "out").read_bytes()


def test_the_order_in_which_files_are_found_does_not_matter():
    files = (SourceFile("a", False, b"1"), SourceFile("b", False, b"2"))

    assert ImageSource("x", files, {}).content_hash == ImageSource("x", files[::-1], {}).content_hash


def test_bytes_cannot_wander_between_files_names_and_values():
    def content_hash(*files, **values):
        return ImageSource("x", tuple(SourceFile(path, False, data) for path, data in files), values).content_hash

    different = [
        content_hash(("a", b"bc")),
        content_hash(("ab", b"c")),
        content_hash(("a", b"b"), ("c", b"")),
        content_hash(("a", b"bc"), c=""),
    ]
    assert len(set(different)) == 4


def test_an_executable_bit_is_content(tree):
    before = hashes(tree)[0]
    (tree / "serving" / "app.py").chmod(0o755)

    assert hashes(tree)[0] != before


def test_a_changed_sum_of_the_weights_is_content(configured, tree):
    other = configured("local", model__weights__files={"config.json": "sha256:" + "0" * 64})

    assert Images(other, root=tree).serving.content_hash != hashes(tree)[0]


def test_an_archive_holds_sorted_paths_with_no_owner_and_no_time(tree):
    path = Images(load("local"), root=tree).serving.write_archive(tree / "out")

    with tarfile.open(path) as archive:
        members = archive.getmembers()
    names = [one.name for one in members]
    assert names == sorted(names)
    assert {"serving/Dockerfile", "serving/wires/vertex.py", "models/dialogue-t5-mini/config.json"} <= set(names)
    assert not [one for one in members if one.mtime or one.uid or one.gid or one.uname]


def test_a_path_without_files_is_an_error_that_names_it(tmp_path):
    with pytest.raises(SourceError, match="made of serving"):
        files_of_tree(tmp_path, ("serving",))


def test_weights_that_are_missing_or_not_what_is_pinned_are_told_with_the_cure(tree):
    (tree / "models" / "dialogue-t5-mini" / "tokenizer.json").unlink()

    hints = " / ".join(Images(load("local"), root=tree).hints())
    assert "has no tokenizer.json" in hints
    assert "are not what is pinned" in hints
    assert "make pin-weights ENV=local" in hints


def test_weights_without_a_sum_are_told_with_the_cure(checkout):
    (hint,) = Images(load("prod"), root=checkout).hints()

    assert "15 more of model.weights.files have no sum" in hint
    assert "make pin-weights ENV=prod" in hint


def test_too_many_weights_for_a_substitution_are_refused(configured, tree):
    many = {f"shard-{number:05}.safetensors": "sha256:" + "0" * 64 for number in range(60)}
    images = Images(configured("local", model__weights__files=many), root=tree)

    with pytest.raises(SourceError, match=r"60 files make .* allowed are 4000"):
        _ = images.serving
