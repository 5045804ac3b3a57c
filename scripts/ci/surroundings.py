"""What GitHub tells a workflow in its environment: read once, here. Empty where there is no GitHub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.ci.github import Github


class NotInCi(Exception):
    """A variable that only a workflow has is missing; the message names it."""


@dataclass(frozen=True)
class Surroundings:
    """output, summary: files that GitHub reads after the step; None outside of a workflow. run_url: of this run."""

    output: Path | None = None
    summary: Path | None = None
    api_url: str = ""
    repository: str = ""
    token: str = ""
    run_url: str = ""
    ref: str = ""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Surroundings:
        def path(name: str) -> Path | None:
            return Path(environ[name]) if environ.get(name) else None

        server, repository = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_REPOSITORY", "")
        run = environ.get("GITHUB_RUN_ID", "")
        return cls(
            output=path("GITHUB_OUTPUT"),
            summary=path("GITHUB_STEP_SUMMARY"),
            api_url=environ.get("GITHUB_API_URL", ""),
            repository=repository,
            token=environ.get("GITHUB_TOKEN", ""),
            run_url=f"{server}/{repository}/actions/runs/{run}" if run else "",
            ref=environ.get("GITHUB_REF", ""),
        )

    def github(self) -> Github:
        for name, value in (("API_URL", self.api_url), ("REPOSITORY", self.repository), ("TOKEN", self.token)):
            if not value:
                raise NotInCi(f"GITHUB_{name} is not set; this job writes to GitHub, from one of its workflows.")
        return Github(self.api_url, self.repository, self.token)

    def tell(self, **outputs: str) -> None:
        """Outputs of the step: for later jobs, and printed for people."""
        for name, value in outputs.items():
            print(f"{name}={value}")
            if self.output is not None:
                with self.output.open("a") as file:
                    file.write(f"{name}={value}\n")

    def summarise(self, text: str) -> None:
        if self.summary is not None:
            with self.summary.open("a") as file:
                file.write(text + "\n")
