"""One deployment as one frozen, checked object, read from `deployments/<env>.toml`.

Unknown keys are refused, and every error names the file, the key, the value got and what is allowed. Pairings of
values are checked in `cdk.pairings`. Knows nothing of cdktf; environments differ by values only.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, Field, PositiveInt, ValidationError, model_validator

from cdk.ci import Github
from cdk.fields import (
    Alias,
    Bucket,
    Deployer,
    EndpointId,
    FileName,
    Frozen,
    HttpsUrl,
    LabelKey,
    LabelValue,
    Member,
    Memory,
    ModelId,
    Prefix,
    ProjectId,
    ProjectNumber,
    Ref,
    Region,
    ReservationName,
    Route,
    Sum,
    Url,
)
from cdk.pairings import (
    container_problems,
    endpoint_problems,
    memory_problems,
    page_problems,
    provider_problems,
    timeout_problems,
    training_problems,
)
from cdk.review import Review
from cdk.rollout import Rollout
from cdk.training import Training

ROOT = Path(__file__).resolve().parent.parent
DEPLOYMENTS = ROOT / "deployments"


class ConfigError(Exception):
    """The deployment file cannot be used; the message has a line per problem."""


class Google(Frozen):
    """Where it is deployed. api_endpoint and access_token are for a cloud that is not Google's own."""

    project: ProjectId
    project_number: ProjectNumber
    region: Region
    api_endpoint: Url | None = None
    access_token: str | None = None


class Terraform(Frozen):
    """plugin_mirror: the folder of .flanstack/plugins that the stacks take providers from.

    state_bucket: a GCS bucket with locking; without one, state is a file on this machine.
    """

    plugin_mirror: Literal["local", "cloud"]
    state_bucket: Bucket | None = None


class Connection(Frozen):
    """A second-generation Cloud Build connection to GitHub; made by hand once (it needs a browser)."""

    app_installation_id: PositiveInt
    oauth_token_secret_version: str


class Source(Frozen):
    """How the source reaches a build: a commit of the repository, or an uploaded archive of the working tree."""

    delivery: Literal["repository", "upload"]
    repository_uri: HttpsUrl
    ref: Ref = "refs/heads/main"
    connection: Connection | None = None


class Weights(Frozen):
    """The checkpoint that goes into the serving image.

    source: `https://…/resolve/REVISION`, or a folder of this repository. files: name -> sha256, empty when the sum is
    not known yet; the build refuses such a file.
    """

    source: str
    files: dict[FileName, Sum]

    @model_validator(mode="after")
    def _is_somewhere(self) -> Weights:
        path = Path(self.source)
        inside = self.source and "://" not in self.source and not path.is_absolute() and ".." not in path.parts
        if not self.is_remote and not inside:
            raise ValueError(
                f"source: got {self.source!r}; allowed is https://…/resolve/REVISION, or a folder of this repository "
                "such as models/dialogue-t5-mini"
            )
        if not self.files:
            raise ValueError("files: got none; list config.json, the weights and the tokenizer's files")
        return self

    @property
    def is_remote(self) -> bool:
        return self.source.startswith("https://")


class Model(Frozen):
    """id: last part of the model's name. parameters_billion and dtype decide whether it fits the accelerator.

    version_aliases: point at the newest version, besides Vertex AI's own `default`. metrics: figures of an evaluation,
    such as eval_rouge1 = 43.1, which a tuned version must beat.
    """

    id: ModelId
    display_name: str = Field(min_length=1, max_length=128)
    description: str = ""
    parameters_billion: float = Field(gt=0)
    dtype: Literal["fp32", "bf16", "fp16"]
    version_aliases: list[Alias] = []
    metrics: dict[LabelKey, float] = {}
    weights: Weights


class Serving(Frozen):
    """The serving container. env: more variables for it, named as its documentation names them."""

    port: int = Field(7080, ge=1, le=65535)
    predict_route: Route = "/predict"
    health_route: Route = "/health"
    deployment_timeout_s: int = Field(7200, ge=60, le=7200)
    shared_memory_mb: PositiveInt | None = None
    env: dict[str, str] = {}


class Build(Frozen):
    """Machine and time of an image's build."""

    machine_type: Literal["E2_HIGHCPU_8", "E2_HIGHCPU_32", "E2_MEDIUM", "E2_STANDARD_2"] = "E2_HIGHCPU_8"
    disk_gb: int = Field(300, ge=100, le=1000)
    timeout_s: int = Field(7200, ge=60, le=86400)


class Reservation(Frozen):
    """Machines reserved beforehand; they are paid for whether they serve or not."""

    name: ReservationName


class Endpoint(Frozen):
    """id: numeric name of the endpoint. request_timeout_s: what one prediction may take.

    duty_cycle_target: busy share of the accelerator, in percent, that more replicas are started to keep.
    """

    id: EndpointId
    display_name: str = Field(min_length=1, max_length=128)
    machine_type: str
    accelerator_type: str | None = None
    accelerator_count: int = Field(0, ge=0, le=16)
    min_replicas: PositiveInt = 1
    max_replicas: PositiveInt = 1
    duty_cycle_target: int | None = Field(None, ge=1, le=100)
    spot: bool = False
    reservation: Reservation | None = None
    dedicated: bool = True
    access_logging: bool = False
    request_timeout_s: int = Field(120, ge=1)


class Ui(Frozen):
    """The page. public: anyone on the internet may use an endpoint that costs money. timeout_s: of one HTTP request.

    ingress: where requests may come from; who may send them is decided by public and invokers.
    """

    public: bool = False
    invokers: list[Member] = []
    ingress: Literal["all", "internal", "internal-and-load-balancer"] = "all"
    deletion_protection: bool = False
    timeout_s: int = Field(300, ge=1, le=3600)
    min_instances: int = Field(0, ge=0)
    max_instances: PositiveInt = 1
    cpu: Literal["1", "2", "4"] = "1"
    memory: Memory = "1Gi"


class Access(Frozen):
    """deployers: who may act as the deployer's service account, people or a CI's identity pool."""

    deployers: list[Deployer] = []


class DeploymentConfig(Frozen):
    """The whole file."""

    env: str
    prefix: Prefix = "flan"
    labels: dict[LabelKey, LabelValue] = {}
    google: Google
    terraform: Terraform
    source: Source
    model: Model
    serving: Serving = Serving()
    build: Build = Build()
    endpoint: Endpoint
    rollout: Rollout = Rollout()
    ui: Ui = Ui()
    access: Access = Access()
    github: Github | None = None
    review: Review = Review()
    training: Training = Training()

    @model_validator(mode="after")
    def _pairings_fit(self) -> DeploymentConfig:
        checks = (endpoint_problems, memory_problems, timeout_problems, container_problems, page_problems)
        problems = [problem for check in (*checks, provider_problems, training_problems) for problem in check(self)]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def all_labels(self) -> dict[str, str]:
        """Labels of everything this deployment makes: what a sweep for leftovers looks for."""
        return {**self.labels, "flanstack_env": self.env, "managed_by": "flanstack"}

    @property
    def build_tags(self) -> list[str]:
        """The same for builds, which take tags instead of labels."""
        return ["flanstack", f"flanstack-env-{self.env}"]


def load(env: str, *, folder: Path = DEPLOYMENTS) -> DeploymentConfig:
    """The deployment `env`. ConfigError with a line per problem."""
    path = folder / f"{env}.toml"
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text())
    except FileNotFoundError:
        known = ", ".join(sorted(one.stem for one in folder.glob("*.toml"))) or "none"
        raise ConfigError(f"FLAN_ENV is {env!r}, but {path} does not exist; there are: {known}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable as TOML: {error}") from None
    if "env" in document:
        raise ConfigError(f"{path.name}: env: unknown key; the file's name is the environment's")
    try:
        return DeploymentConfig(env=env, **document)
    except ValidationError as error:
        raise ConfigError("\n".join(_lines(path, error))) from None


def _lines(path: Path, error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors():
        place = [str(part) for part in problem["loc"] if part != "[key]"]
        key, message = ".".join(place), problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            lines.append(f"{path.name}: {key}: unknown key; allowed here are {', '.join(_keys_beside(place))}")
        elif problem["type"] == "missing":
            lines.append(f"{path.name}: {key}: missing; add it, deployments/prod.toml shows how")
        elif problem["type"] == "value_error" and isinstance(problem["input"], dict | BaseModel):
            lines += [f"{path.name}: {'.'.join([*place, line])}" for line in message.splitlines()]
        else:
            lines.append(
                f"{path.name}: {key}: got {problem['input']!r}; {message.replace('Input should be', 'allowed is')}"
            )
    return lines


def _keys_beside(place: list[str]) -> list[str]:
    """The keys that the table which holds `place` may have."""
    model: type[BaseModel] = DeploymentConfig
    for part in place[:-1]:
        annotation = model.model_fields[part].annotation
        options = [annotation, *get_args(annotation)]
        model = next(one for one in options if isinstance(one, type) and issubclass(one, BaseModel))
    return [name for name in model.model_fields if name != "env"]
