"""Whose CI may plan and apply a deployment: the values of a deployment file's `[github]`. Knows no cloud."""

from __future__ import annotations

from typing import Annotated

from cdk.fields import Frozen, matching

RepositoryName = Annotated[str, matching(r"[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}", "a repository as OWNER/NAME")]
# By number: a name can be given up and taken by somebody else, a number cannot.
GithubNumber = Annotated[str, matching(r"[1-9]\d{0,18}", "digits, as text: `gh api repos/OWNER/NAME --jq .id`")]
EnvironmentName = Annotated[
    str, matching(r"(?!none$)[A-Za-z0-9][A-Za-z0-9_-]{0,62}", "letters, digits, - and _, and not `none`")
]


class Github(Frozen):
    """The repository whose workflows act in the project, without any key.

    repository_id, owner_id: GitHub's numbers of the repository and its owner. apply_environment, stop_environment: the
    GitHub environments whose jobs, on the branch of `source.ref`, may act as the deployer.
    """

    repository: RepositoryName
    repository_id: GithubNumber
    owner_id: GithubNumber
    apply_environment: EnvironmentName = "apply"
    stop_environment: EnvironmentName = "stop"
