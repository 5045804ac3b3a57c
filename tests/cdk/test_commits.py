"""A deployment that builds commits is planned from the commit, whatever the working tree holds."""

import shutil

import pytest

from cdk.config import load
from cdk.images import Images
from cdk.sources import SourceError


@pytest.fixture
def clone(checkout, tmp_path):
    return shutil.copytree(checkout, tmp_path / "clone")


def test_the_hash_is_of_the_commit_and_not_of_the_working_tree(clone):
    before = Images(load("prod"), root=clone).serving.content_hash
    (clone / "serving" / "app.py").write_text("not committed")

    assert Images(load("prod"), root=clone).serving.content_hash == before


def test_what_is_not_committed_is_told(clone):
    (clone / "serving" / "app.py").write_text("not committed")
    (clone / "ui" / "new.py").write_text("new")
    (clone / "README.md").write_text("in no image")

    hint = Images(load("prod"), root=clone).hints()[-1]
    assert "serving/app.py, ui/new.py differ from commit" in hint
    assert "README" not in hint


def test_a_commit_that_touches_no_image_changes_the_revision_and_no_hash(clone, commit):
    before = Images(load("prod"), root=clone)
    first = (before.serving.content_hash, before.delivery(before.serving, bucket=""))
    (clone / "README.md").write_text("changed")
    commit(clone)

    after = Images(load("prod"), root=clone)
    assert after.serving.content_hash == first[0]
    assert after.delivery(after.serving, bucket="") != first[1]


def test_commit_and_working_tree_of_the_same_files_have_the_same_hash(clone, configured):
    upload = configured("prod", source__delivery="upload")

    assert Images(upload, root=clone).serving.content_hash == Images(load("prod"), root=clone).serving.content_hash


def test_a_folder_without_a_commit_is_refused_with_the_cure(tmp_path):
    with pytest.raises(SourceError, match=r"git rev-parse.* failed.*source\.delivery = \"upload\""):
        _ = Images(load("prod"), root=tmp_path).serving


def test_a_commit_without_the_images_folder_is_refused(clone, git, commit):
    git(clone, "rm", "-r", "--quiet", "serving")
    commit(clone)

    with pytest.raises(SourceError, match="has no file of serving"):
        _ = Images(load("prod"), root=clone).serving
