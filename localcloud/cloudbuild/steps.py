"""The steps of a build, carried out on this machine: docker builds by our own builder, Python steps for real.

Any other builder image is refused by name: there is no container engine to run it in.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from localcloud.images.builder import Builder
from localcloud.images.dockerfile import DockerfileError
from localcloud.images.store import ImageStore
from localcloud.runtime.group import Group
from localcloud.store import Document

DOCKER = ("gcr.io/cloud-builders/docker", "docker")
# Passed on from whoever started the local cloud: a Python step may have to reach the network.
PASSED_ON = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE")


class StepFailed(Exception):
    """A step ended with an error; the message goes into the log."""


@dataclass
class Workshop:
    """What a build's steps share.

    folder: in the workspace, where steps begin. environment: `NAME=value` of every step. push: puts a digest under
    an image's name in the registry. built: image tag -> digest, of the images made so far.
    """

    workspace: Path
    folder: str
    scratch: Path
    images: ImageStore
    environment: list[str]
    log: Callable[[str], None]
    check: Callable[[], None]
    push: Callable[[str, str], None]
    built: dict[str, str]

    def run(self, step: Document, *, timeout_s: float) -> None:
        """One step. StepFailed when it fails or takes too long; `check` may raise meanwhile."""
        name = str(step.get("name", ""))
        base = name.partition("@")[0]
        if base.partition(":")[0] in DOCKER and not step.get("entrypoint"):
            self._docker([str(word) for word in step.get("args", [])], folder=self._folder(step))
        elif base.rpartition("/")[2].partition(":")[0] == "python":
            self._python(step, timeout_s=timeout_s)
        else:
            raise StepFailed(
                f"the local cloud has no container engine to run {name!r}; its steps are "
                f"{DOCKER[0]} (build, tag, push) and python images"
            )

    def _folder(self, step: Document) -> Path:
        given = str(step.get("dir", ""))
        inside = given.removeprefix("/workspace").lstrip("/") if given.startswith("/") else f"{self.folder}/{given}"
        folder = (self.workspace / inside.lstrip("/")).resolve()
        if not folder.is_relative_to(self.workspace.resolve()):
            raise StepFailed(f"dir {inside!r} leaves the workspace")
        if not folder.is_dir():
            raise StepFailed(f"dir {inside!r} is no folder of the source")
        return folder

    def push_image(self, uri: str) -> str:
        """Pushes what a step built under this tag; returns its digest."""
        digest = self.built.get(uri)
        if digest is None:
            raise StepFailed(f"An image does not exist locally with the tag: {uri}: no step built it")
        self.push(uri, digest)
        self.log(f"PUSH {uri}: digest: {digest}")
        return digest

    def _docker(self, words: list[str], *, folder: Path) -> None:
        verb = words[0] if words else ""
        if verb == "build":
            self._docker_build(words[1:], folder=folder)
        elif verb == "tag" and len(words) == 3:
            self.built[words[2]] = self.built.get(words[1]) or self.images.resolve(words[1])
        elif verb == "push" and len(words) == 2:
            self.push_image(words[1])
        else:
            raise StepFailed(f"docker {verb!r} is not done here; build, tag and push are")

    def _docker_build(self, words: list[str], *, folder: Path) -> None:
        options = _BuildOptions.parse(words)
        context = (folder / options.context).resolve()
        dockerfile = (folder / options.file).resolve() if options.file else context / "Dockerfile"
        if not dockerfile.is_file():
            raise StepFailed(f"unable to evaluate symlinks in Dockerfile path: {dockerfile.name}: no such file")
        scratch = self.scratch / f"image-{len(list(self.scratch.iterdir()))}"
        scratch.mkdir()
        builder = Builder(
            context, dockerfile, build_args=options.build_args, target=options.target, scratch=scratch, log=self.log
        )
        try:
            rootfs, config = builder.build()
        except DockerfileError as error:
            raise StepFailed(f"{dockerfile.name}: {error}") from error
        digest = self.images.add(rootfs, config)
        for tag in options.tags:
            self.built[tag] = digest
            self.log(f"Successfully tagged {tag}")
        self.log(f"Successfully built {digest}")

    def _python(self, step: Document, *, timeout_s: float) -> None:
        folder = self._folder(step)
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        environment |= {"PATH": path, "HOME": str(self.scratch), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
        environment |= dict(str(entry).partition("=")[::2] for entry in [*self.environment, *step.get("env", [])])
        self._execute(_argv(step, self.scratch), folder, environment, timeout_s)

    def _execute(self, argv: list[str], folder: Path, environment: dict[str, str], timeout_s: float) -> None:
        self.log(f"$ {shlex.join(argv)}"[:300])
        output = self.scratch / "output"
        deadline = time.monotonic() + timeout_s
        with output.open("wb") as out, output.open("rb") as seen:
            process = Group(argv, cwd=folder, env=environment, log=out)
            try:
                while process.poll() is None:
                    self._tell(seen.read())
                    self.check()
                    if time.monotonic() > deadline:
                        raise StepFailed(f"the step took longer than {timeout_s:g} s")
                    time.sleep(0.02)
            finally:
                code = process.end(0)  # also what the step left running
            self._tell(seen.read())
        if code:
            raise StepFailed(f"the step exited with {code}")

    def _tell(self, output: bytes) -> None:
        for line in output.decode(errors="replace").splitlines():
            self.log(line)


def _argv(step: Document, scratch: Path) -> list[str]:
    if step.get("script"):
        script = scratch / "script"
        text = str(step["script"])
        script.write_text(text if text.startswith("#!") else f"#!/bin/sh\nset -e\n{text}")
        script.chmod(0o700)
        return [str(script)]
    arguments = [str(word) for word in step.get("args", [])]
    entrypoint = str(step.get("entrypoint") or "python")
    return [sys.executable if entrypoint in ("python", "python3") else entrypoint, *arguments]


@dataclass
class _BuildOptions:
    """`docker build`'s options, as far as they matter here."""

    context: str
    tags: list[str]
    build_args: dict[str, str]
    file: str | None
    target: str | None

    @classmethod
    def parse(cls, words: list[str]) -> _BuildOptions:
        options = cls(".", [], {}, None, None)
        rest = list(words)
        while rest:
            word = rest.pop(0)
            name, equals, value = word.partition("=")
            if not word.startswith("-"):
                options.context = word
                continue
            if name in ("--no-cache", "--pull", "--quiet", "-q") and not equals:
                continue
            if not equals:
                if not rest:
                    raise StepFailed(f"docker build: {word} needs a value")
                value = rest.pop(0)
            options._take(name, value)
        return options

    def _take(self, name: str, value: str) -> None:
        if name in ("-t", "--tag"):
            self.tags.append(value)
        elif name == "--build-arg":
            argument, _, held = value.partition("=")
            self.build_args[argument] = held
        elif name in ("-f", "--file"):
            self.file = value
        elif name == "--target":
            self.target = value
        elif name not in ("--cache-from", "--platform", "--progress", "--label", "--network"):
            raise StepFailed(f"docker build: unknown option {name}")
