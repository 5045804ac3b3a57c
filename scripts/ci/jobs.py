"""CI's jobs, each from what the ones before left. Composes the plan review, the seal, Terraform and GitHub."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from cdk.config import load
from scripts.ci import applying, keeping
from scripts.ci.github import Merged
from scripts.ci.seal import Seal, head, opened, seal
from scripts.ci.surroundings import Surroundings
from scripts.ci.tip import check_tip, newest_at
from scripts.machine import ROOT, terraform_environment

FAILED, MAX_ROUNDS = 1, 5
FINE = "fine"  # the review's word for a plan that asks nobody
# A planner cannot write the state's lock, and its plan changes nothing.
READ_ONLY = {"TF_CLI_ARGS_plan": "-lock=false"}
WORKFLOW = "apply.yml"


class PlanFailed(Exception):
    """`make plan` ended with an error, which is above."""


class NeedsApproval(Exception):
    """The review asks for a person; the message says how they answer."""


@dataclass(frozen=True)
class Jobs:
    """One deployment's."""

    surroundings: Surroundings
    env: str
    root: Path = ROOT

    @property
    def folder(self) -> Path:
        return self.root / ".flanstack" / "plans" / self.env

    @property
    def marker(self) -> str:
        return f"flanstack {self.env}"

    def plan(self, labels: str = "") -> Seal:
        """Plans, reviews and seals. Tells `seal`, `changes` and `status`.

        labels: of the pull request; after its merge they are looked up, so that what they allowed is told the same.
        """
        merged = self.surroundings.github().merged_as(head(self.root)) if self.surroundings.token else None
        self._make_plan(labels or ",".join(merged.labels if merged else ()))
        plans = applying.saved_plans(self.folder)
        made = seal(self.folder, environment=self.env, checkout=self.root, terraform=terraform_version())
        review = json.loads((self.folder / "review.json").read_text())
        changes = any(one.changes or one.waits_for for one in plans)
        self.surroundings.tell(seal=made.digest, changes=str(changes).lower(), status=str(review["status"]).split()[0])
        parts = [self._review(), self._against(merged), self._footer(made)]
        self.surroundings.summarise("\n\n".join(filter(None, parts)))
        return made

    def comment(self, number: int) -> None:
        """The review as the pull request's one comment."""
        made = Seal(**json.loads((self.folder / "seal.json").read_text()))
        body = f"{self._review()}\n\n{self._footer(made)}"
        print(self.surroundings.github().upsert_comment(number, f"{self.marker} plan", body))

    def apply(self, digest: str, *, tip: str = "") -> applying.Applied:
        """Checks everything before anything. Tells `more`: whether another round is due."""
        found = opened(
            self.folder, digest=digest, environment=self.env, checkout=self.root, terraform=terraform_version()
        )
        if tip:
            check_tip(commit=found.commit, ref=tip, newest=self._newest(tip))
        synthesized = self._synthesize()
        done = applying.apply(self.folder, synthesized)
        told = [f"{what}: {', '.join(stacks)}" for what, stacks in vars(done).items() if stacks]
        print("\n".join(told) or "Nothing was to be done.")
        self.surroundings.tell(more=str(done.more).lower())
        self.surroundings.summarise("\n".join(f"- {line}" for line in told))
        return done

    def again(self, number: int) -> None:
        """Starts the next round, so that it is planned and approved like this one. Ends at some time."""
        if number >= MAX_ROUNDS:
            print(f"Round {number} was the last that starts by itself; look at what goes on changing.")
            return
        self.surroundings.github().dispatch(
            WORKFLOW, self.surroundings.ref, {"environment": self.env, "round": str(number + 1)}
        )
        print(f"Round {number + 1} is started: what waited, or sees new values, is planned and reviewed there.")

    def drift(self) -> bool:
        """Whether the cloud differs from what the branch declares; an issue says so for as long as it does."""
        self._make_plan("")
        differs = any(one.changes or one.waits_for for one in applying.saved_plans(self.folder))
        github, marker = self.surroundings.github(), f"{self.marker} drift"
        if differs:
            body = f"What is deployed differs from what the branch declares.\n\n{self._review()}\n\n{self._run()}"
            print(github.upsert_issue(marker, f"{self.env}: deployed and declared differ", body))
        else:
            print(github.close_issue(marker, f"No difference any more. {self._run()}") or "No difference, no issue.")
        return differs

    def gate(self) -> None:
        """NeedsApproval when the review asks for a person, and no label of the pull request allows it."""
        review = json.loads((self.folder / "review.json").read_text())
        print(review["verdict"])
        if review["status"] != FINE:
            raise NeedsApproval(
                "The review asks for a person. A label of the pull request allows a risk; the review names each one's."
            )

    def unchanged(self) -> None:
        """NeedsApproval when the plan would change anything: for a CI that has no issues, and mails its failures."""
        if any(one.changes or one.waits_for for one in applying.saved_plans(self.folder)):
            raise NeedsApproval(
                f"{self.env}: what is deployed differs from what the branch declares; the plan is above."
            )
        print(f"{self.env}: no difference.")

    def keep(self, bucket: str) -> None:
        """Keeps the sealed plan in a bucket, for another build."""
        digest = Seal(**json.loads((self.folder / "seal.json").read_text())).digest
        print(keeping.keep(self.folder, load(self.env), bucket=bucket, digest=digest))

    def fetch(self, bucket: str, digest: str) -> None:
        """Brings a kept plan back; `apply` checks it."""
        keeping.fetch(self.folder, load(self.env), bucket=bucket, digest=digest)

    def _newest(self, ref: str) -> str:
        """GitHub's word where there is a token: a private repository's remote would not answer git without one."""
        if self.surroundings.token:
            return self.surroundings.github().newest_at(ref)
        return newest_at(self.root, ref)

    def _make_plan(self, labels: str) -> None:
        command = [sys.executable, "-m", "scripts.plan", "--labels", labels, "--artefact", "the run's artefact"]
        environment = {**os.environ, **READ_ONLY, "FLAN_ENV": self.env, "NO_COLOR": "1"}
        if subprocess.run(command, cwd=self.root, env=environment, check=False).returncode == FAILED:
            raise PlanFailed(f"The plan of {self.env} failed; why is above.")

    def _synthesize(self) -> Path:
        """The stacks' folders, in which Terraform applies: the plan files hold what is applied."""
        command = [sys.executable, "-m", "cdk"]
        folder = self.root / "cdktf.out"
        environment = {**os.environ, "FLAN_ENV": self.env, "CDKTF_OUTDIR": str(folder)}
        if subprocess.run(command, cwd=self.root, env=environment, check=False).returncode:
            raise PlanFailed(f"{self.env} cannot be synthesized; why is above.")
        return folder

    def _review(self) -> str:
        return (self.folder / "review.md").read_text().rstrip()

    def _footer(self, made: Seal) -> str:
        return f"<sub>Plan of {made.commit}, review `{self._review_digest}`, seal `{made.digest}`. {self._run()}</sub>"

    @property
    def _review_digest(self) -> str:
        """The same for the same changes: the review's bytes depend on nothing else."""
        return hashlib.sha256(self._review().encode()).hexdigest()[:16]

    def _against(self, merged: Merged | None) -> str:
        """For who approves on main: whether this is what the pull request's reviewers have seen."""
        if not self.surroundings.token:
            return ""
        seen = self.surroundings.github().comment(merged.number, f"{self.marker} plan") if merged else None
        if seen is None or merged is None:
            return "No pull request's review is known of this commit: read it here."
        if f"review `{self._review_digest}`" in str(seen["body"]):
            return f"This is the review that pull request #{merged.number} has shown, to the letter."
        return f"**This differs from what pull request #{merged.number} has shown: read it again.**"

    def _run(self) -> str:
        return f"[This run]({self.surroundings.run_url})." if self.surroundings.run_url else ""


def terraform_version() -> str:
    out = subprocess.run(
        ["terraform", "version", "-json"], capture_output=True, text=True, env=terraform_environment(), check=True
    )
    return str(json.loads(out.stdout)["terraform_version"])
