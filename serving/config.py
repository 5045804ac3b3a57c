"""Every knob of the server, read once from the environment. Knows no other part of the server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, BeforeValidator, Field, PositiveFloat, PositiveInt, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MOST_INSTANCES = 1024
TAKEN_ROUTES = ("/metrics", "/docs", "/openapi.json")
NESTINGS = {"true": "once", "1": "once", "false": "none", "0": "none"}


def _nesting(value: object) -> object:
    """The setting was a switch once."""
    return NESTINGS.get(str(value).lower(), value)


class ServerConfig(BaseSettings):
    """Built once in `__main__`, then passed down; nothing else reads the environment.

    The AIP_* variables are set by Vertex AI:
    https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements
    """

    model_config = SettingsConfigDict(frozen=True, populate_by_name=True, extra="forbid")

    model_dir: Path = Field(
        default=Path("model"),
        validation_alias="MODEL_DIR",
        description="folder of a Hugging Face model: config, tokenizer, weights; T5 and mT5 run on our own engine, "
        "other sequence-to-sequence and causal language models on transformers",
    )
    storage_uri: str = Field(
        default="",
        validation_alias="AIP_STORAGE_URI",
        description="gs:// folder of a model, fetched at start and served in place of MODEL_DIR; Vertex AI sets it to "
        "the model's artifact_uri, and to nothing when there is none",
    )
    model_name: str = Field(
        default="",
        validation_alias="MODEL_NAME",
        description="the name that logs and /metrics show; empty means the name of MODEL_DIR",
    )
    host: str = Field(default="0.0.0.0", validation_alias="HOST", description="address to listen on")
    port: int = Field(
        default=7080,
        validation_alias=AliasChoices("AIP_HTTP_PORT", "PORT"),
        ge=0,
        le=65535,
        description="port to listen on; AIP_HTTP_PORT is Vertex AI's name, PORT is Cloud Run's; 0 takes a free one",
    )
    aip_health_route: str | None = Field(
        default=None, validation_alias="AIP_HEALTH_ROUTE", description="path of the health check; /health when unset"
    )
    aip_predict_route: str | None = Field(
        default=None, validation_alias="AIP_PREDICT_ROUTE", description="path of predictions; /predict when unset"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        validation_alias="DEVICE",
        description="where the model runs; auto takes a GPU when there is one",
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        validation_alias="DTYPE",
        description="number format of the weights; auto is float32 on a CPU and bfloat16 on a GPU. "
        "float16 keeps the `wo` projections in float32, without which T5 overflows",
    )
    quantize: Literal["none", "int8", "int8-weights"] = Field(
        default="none",
        validation_alias="QUANTIZE",
        description="int8 keeps the weights of a T5 in a quarter of float32's memory, half of 16-bit's, and multiplies "
        "in int8 too, which is faster on a CPU: each row of activations is rounded as it comes. Answers change a "
        "little (docs/benchmarks.md says how much). int8-weights leaves the activations as they are, for models whose "
        "outliers do not bear it; steps are then slower than without, since weights are widened for each product",
    )
    kernels: Literal["auto", "torch"] = Field(
        default="auto",
        validation_alias="KERNELS",
        description="what computes a T5 on a CPU: auto takes our own kernels where the machine can run them (x86-64 "
        "with AVX2 under Linux; they come with the image, or are compiled once by a C++ compiler); torch takes "
        "PyTorch's operations, which are slower",
    )
    num_workers: int = Field(
        default=0,
        validation_alias="NUM_WORKERS",
        ge=0,
        le=256,
        description="processes that run a T5 on CPUs, over one copy of the weights; 1 runs it in the server's own "
        "process, as on a GPU; 0 finds by measuring, at the start, how many make most tokens, and says so",
    )
    num_threads: int = Field(
        default=0,
        validation_alias="NUM_THREADS",
        ge=0,
        description="CPU threads of one step in each of them; 0 finds the best number by measuring",
    )
    max_input_tokens: PositiveInt = Field(
        default=1024,
        validation_alias="MAX_INPUT_TOKENS",
        description="longest prompt, in tokens; a longer one is refused with 422, or cut when `truncate` is true",
    )
    max_new_tokens: PositiveInt = Field(
        default=512, validation_alias="MAX_NEW_TOKENS", description="the most tokens that one prediction may ask for"
    )
    default_new_tokens: PositiveInt = Field(
        default=128,
        validation_alias="DEFAULT_NEW_TOKENS",
        description="max_new_tokens of a request that names none; when unset, what the folder's generation_config.json "
        "says goes first",
    )
    max_instances: int = Field(
        default=32,
        validation_alias="MAX_INSTANCES",
        ge=1,
        le=MOST_INSTANCES,
        description="the most instances in one request",
    )
    max_batch_size: PositiveInt = Field(
        default=16,
        validation_alias="MAX_BATCH_SIZE",
        description="the most sequences that run at once; each beam of a beam search counts as one",
    )
    max_beams: int = Field(
        default=8,
        validation_alias="MAX_BEAMS",
        ge=1,
        le=64,
        description="the most beams (num_beams) that one prediction may ask for, within MAX_BATCH_SIZE; 1 allows no "
        "beam search",
    )
    max_batch_tokens: PositiveInt = Field(
        default=16384,
        validation_alias="MAX_BATCH_TOKENS",
        description="prompt plus new tokens that may be held at once by what runs; bounds the memory of the caches",
    )
    max_waiting: PositiveInt = Field(
        default=128, validation_alias="MAX_WAITING", description="sequences that may wait; one more is refused with 429"
    )
    max_waiting_tokens: PositiveInt = Field(
        default=131_072,
        validation_alias="MAX_WAITING_TOKENS",
        description="prompt plus new tokens of the sequences that may wait; more are refused with 429",
    )
    client_header: str = Field(
        default="",
        validation_alias="CLIENT_HEADER",
        pattern=r"^[A-Za-z0-9-]*$",
        description="request header that names the client, set by a proxy that is trusted: the queue is then fair "
        "between clients. Empty: all requests are one client's, first come, first served",
    )
    max_client_share: float = Field(
        default=0.5,
        validation_alias="MAX_CLIENT_SHARE",
        gt=0,
        le=1,
        description="part of the queue that one client may take, where CLIENT_HEADER names them",
    )
    request_timeout_s: PositiveFloat = Field(
        default=120.0,
        validation_alias="REQUEST_TIMEOUT_S",
        description="time from acceptance to the last token; after it the request ends with 504. "
        "Vertex AI itself cuts at 60 s on shared endpoints and at 600 s on dedicated ones",
    )
    max_body_bytes: PositiveInt = Field(
        default=10_000_000,
        validation_alias="MAX_BODY_BYTES",
        description="largest request body; more is refused with 413",
    )
    shutdown_grace_s: PositiveFloat = Field(
        default=25.0,
        validation_alias="SHUTDOWN_GRACE_S",
        description="after SIGTERM, time for accepted requests to finish; SageMaker kills after 30 s",
    )
    engine_stall_s: PositiveFloat = Field(
        default=60.0,
        validation_alias="ENGINE_STALL_S",
        description="an engine with work that makes no token for so long has failed: its requests end, and the "
        "process too, with status 1",
    )
    legacy_nesting: Annotated[Literal["none", "once", "twice"], BeforeValidator(_nesting)] = Field(
        default="none",
        validation_alias="LEGACY_NESTING",
        description="shape of Vertex AI's answer, for the clients of older demos. once: {predictions: [[a, b]]} as the "
        "first Flan-T5 demo; twice: {predictions: [[[a], [b]]]} as the fine-tuning demo; both without metadata",
    )
    aip_mode: str = Field(
        default="", validation_alias="AIP_MODE", description="set by Vertex AI: PREDICTION; then its limits hold"
    )
    vertex_endpoint: Literal["", "shared", "dedicated"] = Field(
        default="",
        validation_alias="VERTEX_ENDPOINT_TYPE",
        description="type of the Vertex AI endpoint in front, whose limits the server names before Vertex AI cuts: "
        "shared 1.5 MB and 60 s, dedicated 10 MB and 600 s. Empty: dedicated on Vertex AI, no limits elsewhere",
    )
    vertex_timeout_s: float = Field(
        default=0.0,
        validation_alias="VERTEX_TIMEOUT_S",
        ge=0,
        le=3600,
        description="seconds after which the Vertex AI endpoint ends a request, where its inference timeout was set; "
        "0 takes the type's own",
    )
    chat_template: str = Field(
        default="",
        validation_alias="CHAT_TEMPLATE",
        description="file of a Jinja template that makes one prompt of a chat's messages. Empty: the model folder's "
        "own, or the one of docs/wires/openai.md",
    )
    keys_file: Path | None = Field(
        default=None,
        validation_alias="KEYS_FILE",
        description="file of the clients' hashed keys and quotas, from a secret; then every route but health asks for "
        "one. `python -m serving key NAME` makes a key. Unset: anyone who reaches the port may ask",
    )
    cors_origins: str = Field(
        default="",
        validation_alias="CORS_ORIGINS",
        description="origins whose web pages may ask this server, with commas between; empty: none",
    )
    client_requests_per_minute: int = Field(
        default=0,
        validation_alias="CLIENT_REQUESTS_PER_MINUTE",
        ge=0,
        description="the most requests of one client, by its key or CLIENT_HEADER; a key's own quota wins. 0: no limit",
    )
    client_tokens_per_minute: int = Field(
        default=0,
        validation_alias="CLIENT_TOKENS_PER_MINUTE",
        ge=0,
        description="the most tokens, read and generated, of one client; a key's own quota wins. 0: no limit",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", validation_alias="LOG_LEVEL", description="least severe log line that is written"
    )

    log_format: Literal["json", "text"] = Field(
        default="json",
        validation_alias="LOG_FORMAT",
        description="json: one object per line, with request_id and trace_id; text: for reading on a terminal",
    )
    otlp_endpoint: str = Field(
        default="",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="OpenTelemetry collector for traces, by HTTP, such as http://127.0.0.1:4318; empty sends none. The "
        "SDK's other OTEL_… variables hold as well",
    )

    @property
    def name(self) -> str:
        return self.model_name or self.model_dir.name

    @property
    def health_route(self) -> str:
        return self.aip_health_route or "/health"

    @property
    def predict_route(self) -> str:
        return self.aip_predict_route or "/predict"

    @model_validator(mode="after")
    def _check_routes(self) -> Self:
        # Vertex AI sets both or neither; one alone is a container tried by hand with half its settings, and
        # would be probed on a route that nobody serves.
        if (self.aip_health_route is None) != (self.aip_predict_route is None):
            missing = "AIP_HEALTH_ROUTE" if self.aip_health_route is None else "AIP_PREDICT_ROUTE"
            raise ValueError(f"{missing} is not set though its sibling is; set both routes, or neither")
        for key, route in (("AIP_HEALTH_ROUTE", self.health_route), ("AIP_PREDICT_ROUTE", self.predict_route)):
            if not route.startswith("/") or route in TAKEN_ROUTES:
                raise ValueError(f"{key} must start with '/' and be none of {', '.join(TAKEN_ROUTES)}, got {route!r}")
        if self.health_route == self.predict_route:
            raise ValueError(f"AIP_HEALTH_ROUTE and AIP_PREDICT_ROUTE must differ, both are {self.health_route!r}")
        return self

    @model_validator(mode="after")
    def _check_limits(self) -> Self:
        largest = self.max_input_tokens + self.max_new_tokens
        if self.max_batch_tokens < largest:
            raise ValueError(
                f"MAX_BATCH_TOKENS must hold one whole request, MAX_INPUT_TOKENS + MAX_NEW_TOKENS = {largest}, "
                f"got {self.max_batch_tokens}"
            )
        if self.default_new_tokens > self.max_new_tokens:
            raise ValueError(
                f"DEFAULT_NEW_TOKENS must be at most MAX_NEW_TOKENS ({self.max_new_tokens}), "
                f"got {self.default_new_tokens}"
            )
        if self.max_instances > self.max_waiting:
            raise ValueError(
                f"MAX_INSTANCES must be at most MAX_WAITING ({self.max_waiting}), got {self.max_instances}: "
                "a full request could never be accepted"
            )
        if self.max_waiting_tokens < largest:
            raise ValueError(
                f"MAX_WAITING_TOKENS must hold one whole request, MAX_INPUT_TOKENS + MAX_NEW_TOKENS = {largest}, "
                f"got {self.max_waiting_tokens}"
            )
        share = self.max_client_share * self.max_waiting
        if self.client_header and self.max_instances > share:
            raise ValueError(
                f"MAX_INSTANCES must be at most MAX_CLIENT_SHARE of MAX_WAITING ({share:g}) where CLIENT_HEADER is "
                f"set, got {self.max_instances}: a full request could never be accepted"
            )
        return self


def explain(error: ValidationError) -> list[str]:
    """One line per wrong setting: its variable, the value got, what is allowed."""
    lines = []
    for problem in error.errors(include_url=False):
        message = problem["msg"].removeprefix("Value error, ")
        if not problem["loc"]:
            lines.append(message)
            continue
        lines.append(f"{problem['loc'][0]}: {message}, got {problem['input']!r}")
    return lines


def describe() -> str:
    """Every setting with its variable, default and meaning, for `--help`."""
    lines = [
        "python -m serving: answers predictions of the model in MODEL_DIR.",
        "python -m serving serve: the same on SageMaker: port 8080, and the model in /opt/ml/model where there is one.",
        "python -m serving key NAME: prints a new key for a client, and the lines that KEYS_FILE is to have for it.",
        "",
        "Settings are environment variables:",
    ]
    for field in ServerConfig.model_fields.values():
        alias = field.validation_alias
        names = " or ".join(map(str, alias.choices)) if isinstance(alias, AliasChoices) else str(alias)
        default = "unset" if field.default in (None, "") else field.default
        lines += ["", f"{names} (default: {default})", f"    {field.description}"]
    return "\n".join(lines)
