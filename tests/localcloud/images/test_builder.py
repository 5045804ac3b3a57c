"""Images are built from what a Dockerfile copies and sets; what it runs is skipped and said so."""

import os
import shutil

import pytest

from localcloud.images.builder import Builder
from localcloud.images.dockerfile import DockerfileError
from localcloud.images.store import ImageStore, digest_of

STAGES = """\
ARG TAG=3.11
FROM python:${TAG} AS packages
RUN pip install --prefix /packages x
FROM python:${TAG}
WORKDIR /srv
COPY --from=packages /packages /usr/local
ARG MODEL=model
ENV MODEL_DIR=${MODEL} MODE="two words"
COPY weights/ model/
COPY code/*.py ./
USER 10001
EXPOSE 7080/tcp
ENTRYPOINT ["python"]
CMD ["-m", "serving"]
"""


@pytest.fixture
def context(tmp_path):
    folder = tmp_path / "context"
    for name, text in {"weights/a.bin": "A", "code/one.py": "1", "code/two.py": "2", "code/no.txt": "no"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def build(context, tmp_path):
    numbers = iter(range(100))

    def run(text=STAGES, **options):
        (context / "Dockerfile").write_text(text)
        scratch = tmp_path / f"scratch-{next(numbers)}"
        scratch.mkdir()
        log = []
        options = {"build_args": {}, "target": None} | options
        rootfs, config = Builder(context, context / "Dockerfile", scratch=scratch, log=log.append, **options).build()
        return rootfs, config, "\n".join(log)

    return run


def files(rootfs):
    return sorted(path.relative_to(rootfs).as_posix() for path in rootfs.rglob("*") if path.is_file())


def test_copies_and_settings_of_the_last_stage_are_the_image(build):
    rootfs, config, _ = build()

    assert files(rootfs) == ["srv/model/a.bin", "srv/one.py", "srv/two.py"]
    assert config.command == ["python", "-m", "serving"]
    assert config.env == {"MODEL_DIR": "model", "MODE": "two words"}
    assert (config.workdir, config.user, config.exposed_ports) == ("/srv", "10001", [7080])


def test_run_is_skipped_and_so_is_the_copy_of_what_it_would_have_made(build):
    _, _, log = build()

    assert "skipped: the local cloud runs no RUN" in log
    assert "skipped: /packages would have been made by a skipped RUN" in log


def test_a_build_argument_replaces_the_default(build):
    _, config, _ = build(build_args={"MODEL": "other"})

    assert config.env["MODEL_DIR"] == "other"


def test_a_stage_can_be_the_target_and_the_base_of_another(build):
    text = "FROM scratch AS one\nENV A=1\nCOPY weights/a.bin /a\nFROM one AS two\nENV B=2\nFROM scratch\nENV C=3\n"

    rootfs, config, _ = build(text, target="two")

    assert files(rootfs) == ["a"]
    assert config.env == {"A": "1", "B": "2"}


def test_ignored_files_are_not_copied_and_an_exception_is(build, context):
    (context / ".dockerignore").write_text("code\n!code/two.py\n**/*.bin\n")

    rootfs, _, _ = build("FROM scratch\nCOPY . /all\n")

    assert "all/code/two.py" in files(rootfs)
    assert "all/code/one.py" not in files(rootfs)
    assert "all/weights/a.bin" not in files(rootfs)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM scratch\nCOPY missing /x\n", "line 2: COPY missing: no such file"),
        ("FROM scratch\nCOPY ../secret /x\n", "leaves the build context"),
        ("FROM scratch\nCOPY --from=nowhere /a /b\n", "--from=nowhere is no stage"),
        ("FROM scratch\nADD https://example.com/x /x\n", "ADD of an address"),
        ("FROM scratch\nEXPOSE many\n", "'many' is no port"),
        ("COPY a b\nFROM scratch\n", "COPY before the first FROM"),
        ("FROM $NOTHING\n", "line 1: FROM .* is empty"),
        ("FROM scratch\nCOPY --parents code /x\n", "--parents is not done here"),
        ("FROM scratch\nCOPY --chmod=u+x code /x\n", "no octal mode"),
    ],
)
def test_what_cannot_be_built_is_refused_in_words(build, text, message):
    with pytest.raises(DockerfileError, match=message):
        build(text)


def test_a_file_that_the_context_hides_cannot_be_copied_by_name(build, context):
    (context / ".dockerignore").write_text("weights/a.bin\n")

    with pytest.raises(DockerfileError, match="dockerignore hides it"):
        build("FROM scratch\nCOPY weights/a.bin /a\n")


def test_a_stage_built_on_another_has_its_user_labels_and_arguments(build):
    text = 'FROM scratch AS One\nARG A=1\nUSER 7\nLABEL l="${A}"\nCMD ["old"]\nFROM one\nENV B=$A\n'

    _, config, _ = build(text)

    assert (config.user, config.labels, config.env, config.command) == ("7", {"l": "1"}, {"B": "1"}, ["old"])


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ('FROM scratch\nCMD ["c"]\nENTRYPOINT ["e"]\n', ["e", "c"]),
        ('FROM scratch AS a\nCMD ["c"]\nFROM a\nENTRYPOINT ["e"]\n', ["e"]),
    ],
)
def test_an_entrypoint_drops_the_base_s_cmd_and_keeps_its_own(build, text, command):
    assert build(text)[1].command == command


def test_a_variable_stays_one_word_whatever_it_holds(build):
    text = "FROM scratch\nARG A B=two\nENV C=$A D=\"<$A>\" E='$A' F=$B\n"

    _, config, _ = build(text, build_args={"A": 'a "b" c'})

    assert config.env == {"C": 'a "b" c', "D": '<a "b" c>', "E": "$A", "F": "two"}


def test_modes_links_and_empty_folders_are_copied(build, context):
    (context / "code" / "empty").mkdir()
    (context / "code" / "link.py").symlink_to("one.py")

    rootfs, _, _ = build("FROM scratch\nCOPY --chmod=755 --chown=1:1 code/ /code\n")

    assert (rootfs / "code" / "empty").is_dir()
    assert (rootfs / "code" / "link.py").readlink().name == "one.py"
    assert (rootfs / "code" / "one.py").stat().st_mode & 0o777 == 0o755


def test_the_digest_depends_on_contents_modes_and_settings_and_on_nothing_else(build, context):
    rootfs, config, _ = build()
    first = digest_of(rootfs, config)
    os.utime(context / "code" / "one.py", (0, 0))
    again, same, _ = build()

    assert digest_of(again, same) == first
    (context / "code" / "one.py").chmod(0o755)
    executable, config, _ = build()
    assert digest_of(executable, config) != first


def test_a_store_opened_again_knows_its_images_and_tags(build, tmp_path):
    rootfs, config, _ = build()
    path = "europe-west4-docker.pkg.dev/p/images/serving"
    store = ImageStore(tmp_path / "images")
    digest = store.add(rootfs, config)
    store.push(path, "one", digest)

    opened = ImageStore(tmp_path / "images")

    assert opened.resolve(f"{path}:one") == opened.resolve(f"{path}@{digest}") == digest
    assert opened.config(digest) == config
    assert files(opened.rootfs(digest)) == ["srv/model/a.bin", "srv/one.py", "srv/two.py"]


def test_an_image_built_twice_is_kept_once(build, tmp_path):
    store = ImageStore(tmp_path / "images")
    first, config, _ = build()
    digest = store.add(first, config)
    second, config, _ = build()

    assert store.add(second, config) == digest
    assert not second.exists()
    shutil.rmtree(tmp_path / "images")
