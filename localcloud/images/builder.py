"""Builds an image from a Dockerfile without a container engine, by carrying out what only moves files and settings.

COPY, ENV, WORKDIR, CMD and the like are done for real, stage by stage. RUN is skipped and said so: an image runs
on this machine's own Python with this project's packages. A COPY --from of what a skipped RUN would have
made is skipped too. Knows nothing of registries or builds.
"""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from localcloud.images.copying import matches, mode_of, place
from localcloud.images.dockerfile import DockerfileError, Instruction, expand, parse
from localcloud.images.ignore import Ignore
from localcloud.images.store import ImageConfig

_NO_EXPANSION = ("RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK", "SHELL", "ONBUILD")
_SPLIT_INTO_WORDS = ("ARG", "ENV", "LABEL", "COPY", "ADD")
_SETTINGS_ONLY = ("HEALTHCHECK", "STOPSIGNAL", "VOLUME", "SHELL", "ONBUILD", "MAINTAINER")


@dataclass
class Stage:
    """One FROM and what followed. skipped_run: something in it would have been made by a RUN."""

    name: str
    rootfs: Path
    entrypoint: list[str] = field(default_factory=list)
    cmd: list[str] = field(default_factory=list)
    has_own_cmd: bool = False
    env: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    ports: list[int] = field(default_factory=list)
    user: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    skipped_run: bool = False

    def config(self) -> ImageConfig:
        return ImageConfig(
            entrypoint=self.entrypoint,
            cmd=self.cmd,
            env=self.env,
            workdir=self.workdir,
            exposed_ports=self.ports,
            user=self.user,
            labels=self.labels,
        )

    def inside(self, path: str) -> Path:
        """A path of the image as a path of this machine; relative ones start at WORKDIR."""
        return self.rootfs / self.absolute(path).lstrip("/")

    def absolute(self, path: str) -> str:
        parts: list[str] = []
        for part in PurePosixPath(self.workdir, path).parts[1:]:
            if part == "..":
                parts = parts[:-1]
            elif part != ".":
                parts.append(part)
        return "/" + "/".join(parts)


class Builder:
    """One build. log: gets a line per step. scratch: an empty folder for the stages' roots."""

    def __init__(
        self,
        context: Path,
        dockerfile: Path,
        *,
        build_args: Mapping[str, str],
        target: str | None,
        scratch: Path,
        log: Callable[[str], None],
    ) -> None:
        self._context, self._dockerfile = context, dockerfile
        self._build_args, self._target = dict(build_args), target
        self._scratch, self._log = scratch, log
        self._ignore = Ignore.of(context, dockerfile)
        self._stages: list[Stage] = []
        self._global_arguments: dict[str, str] = {}

    def build(self) -> tuple[Path, ImageConfig]:
        """The finished image's root and config. DockerfileError when it cannot be built."""
        instructions = parse(self._dockerfile.read_text())
        for number, instruction in enumerate(instructions, start=1):
            self._log(f"Step {number}/{len(instructions)} : {instruction.name} {instruction.value}"[:300])
            if instruction.name == "FROM" and self._is_done():
                break
            self._carry_out(instruction)
        stage = self._stages[-1] if self._target is None else self._stage_of(self._target)
        if stage is None:
            raise DockerfileError(f"target {self._target!r} is no stage of {self._dockerfile.name}")
        return stage.rootfs, stage.config()

    def _is_done(self) -> bool:
        return bool(self._stages) and self._target is not None and self._stages[-1] is self._stage_of(self._target)

    def _carry_out(self, instruction: Instruction) -> None:
        if instruction.name == "FROM":
            self._from(instruction)
        elif not self._stages:
            if instruction.name != "ARG":
                raise DockerfileError(f"line {instruction.line}: {instruction.name} before the first FROM")
            value = expand(instruction.value, self._global_arguments, as_words=True)
            self._declare(replace(instruction, value=value), self._global_arguments)
        else:
            self._carry_out_in(self._stages[-1], instruction)

    def _carry_out_in(self, stage: Stage, instruction: Instruction) -> None:
        value = instruction.value
        if instruction.name not in _NO_EXPANSION:
            as_words = instruction.name in _SPLIT_INTO_WORDS
            value = expand(value, {**stage.arguments, **stage.env}, as_words=as_words)
        done = replace(instruction, value=value)
        if instruction.name in _SETTINGS_ONLY:
            return
        getattr(self, f"_{instruction.name.lower()}")(stage, done)

    def _from(self, instruction: Instruction) -> None:
        words = expand(instruction.value, self._global_arguments | self._build_args).split()
        if not words:
            raise DockerfileError(f"line {instruction.line}: FROM {instruction.value} is empty; give its ARG a value")
        name = words[2].lower() if len(words) == 3 and words[1].upper() == "AS" else str(len(self._stages))
        rootfs = self._scratch / f"stage-{len(self._stages)}"
        rootfs.mkdir()
        base = self._stage_of(words[0])
        if base is not None:
            shutil.copytree(base.rootfs, rootfs, symlinks=True, dirs_exist_ok=True)
            stage = replace(copy.deepcopy(base), name=name, rootfs=rootfs, has_own_cmd=False)
        else:
            self._log(f" ---> base {words[0]} stands for this machine's own Python")
            stage = Stage(name, rootfs, skipped_run=words[0] != "scratch")
        self._stages.append(stage)

    def _declare(self, instruction: Instruction, into: dict[str, str]) -> None:
        """`ARG A B=1`: from the command line, else its default, else what was said before the first FROM."""
        for word in instruction.words():
            name, equals, default = word.partition("=")
            default = default if equals else into.get(name) or self._global_arguments.get(name, "")
            into[name] = self._build_args.get(name, default)

    def _arg(self, stage: Stage, instruction: Instruction) -> None:
        self._declare(instruction, stage.arguments)

    def _env(self, stage: Stage, instruction: Instruction) -> None:
        stage.env.update(instruction.pairs())

    def _label(self, stage: Stage, instruction: Instruction) -> None:
        stage.labels.update(instruction.pairs())

    def _workdir(self, stage: Stage, instruction: Instruction) -> None:
        stage.workdir = stage.absolute(instruction.value)
        stage.inside(".").mkdir(parents=True, exist_ok=True)

    def _user(self, stage: Stage, instruction: Instruction) -> None:
        stage.user = instruction.value

    def _expose(self, stage: Stage, instruction: Instruction) -> None:
        for word in instruction.value.split():
            port = word.partition("/")[0]
            if not port.isdigit():
                raise DockerfileError(f"line {instruction.line}: EXPOSE {word!r} is no port")
            stage.ports.append(int(port))

    def _cmd(self, stage: Stage, instruction: Instruction) -> None:
        stage.cmd, stage.has_own_cmd = instruction.command(), True

    def _entrypoint(self, stage: Stage, instruction: Instruction) -> None:
        """A CMD of the base stage does not go with another entrypoint; one of this stage does."""
        stage.entrypoint = instruction.command()
        if not stage.has_own_cmd:
            stage.cmd = []

    def _run(self, stage: Stage, instruction: Instruction) -> None:
        stage.skipped_run = True
        self._log(" ---> skipped: the local cloud runs no RUN; images use this machine's Python and packages")

    def _add(self, stage: Stage, instruction: Instruction) -> None:
        if re.match(r"^(https?|git)[:@]", instruction.words()[0]):
            raise DockerfileError(f"line {instruction.line}: ADD of an address is not done here; use a build step")
        self._copy(stage, instruction)

    def _copy(self, stage: Stage, instruction: Instruction) -> None:
        mode = mode_of(instruction)
        *sources, target = instruction.words()
        if not sources:
            raise DockerfileError(f"line {instruction.line}: {instruction.name} needs a source and a target")
        if sources[0].startswith("<<"):
            raise DockerfileError(f"line {instruction.line}: {instruction.name} of a heredoc is not done here")
        origin = self._origin(instruction)
        found = [path for source in sources for path in self._matches(origin, source)]
        if not found:
            if origin is not None and origin.skipped_run:
                self._log(f" ---> skipped: {' '.join(sources)} would have been made by a skipped RUN or the base image")
                return
            raise DockerfileError(
                f"line {instruction.line}: {instruction.name} {' '.join(sources)}: no such file or folder"
                f"{'' if origin else ' in the build context (or .dockerignore hides it)'}"
            )
        many = len(found) > 1 or target.endswith("/")
        hides = self._hidden if origin is None else lambda _: False
        for path in found:
            place(path, stage.inside(target), into_folder=many, mode=mode, hides=hides)

    def _matches(self, origin: Stage | None, source: str) -> list[Path]:
        if origin is not None:
            return matches(origin.rootfs, source)
        # A hidden folder may have files that an exception takes back: `place` looks at each.
        return [path for path in matches(self._context, source) if path.is_dir() or not self._hidden(path)]

    def _origin(self, instruction: Instruction) -> Stage | None:
        """The stage a COPY takes from; None for the context."""
        name = instruction.flags.get("from")
        if name is None:
            return None
        stage = self._stage_of(name)
        if stage is not None:
            return stage
        if re.search(r"[/:.]", name):  # another image: what it holds is not here
            return Stage(name, self._scratch / "nothing", skipped_run=True)
        raise DockerfileError(f"line {instruction.line}: --from={name} is no stage before it")

    def _stage_of(self, name: str) -> Stage | None:
        named = next((stage for stage in reversed(self._stages) if stage.name == name.lower()), None)
        if named is None and name.isdigit() and int(name) < len(self._stages):
            return self._stages[int(name)]
        return named

    def _hidden(self, path: Path) -> bool:
        return self._ignore.hides(PurePosixPath(path.relative_to(self._context).as_posix()))
