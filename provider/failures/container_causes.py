"""Why a container fails: in a build, in a job or behind an endpoint (`RUNNING`), or as it does not serve (`SERVING`).

Source: container logs as users quote them (vertex-ai-samples 3443, 3485; stable-diffusion-on-gcp 12), and Vertex AI,
"Custom container requirements for inference".
"""

from __future__ import annotations

from provider.failures.cause import Cause

RUNNING: tuple[Cause, ...] = (
    Cause(
        "gpu-memory",
        "The model does not fit into the GPU's memory.",
        "Load it in half precision (fp32 XXL needs 45 GB, bf16 half), make batches and lengths smaller, or take a GPU "
        "with more (a2-ultragpu-1g: 80 GB).",
        logged=r"CUDA out of memory|OutOfMemoryError: CUDA|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED",
    ),
    Cause(
        "disk-full",
        "The disk is full.",
        "Give the build more with options.diskSizeGb in the trigger (300 for a 20 GB image, at most 4000), or clean up "
        "within the same step.",
        said=r"(?i)no space left on device|ENOSPC|Errno 28",
        logged=r"(?i)no space left on device|ENOSPC|Errno 28",
    ),
    Cause(
        "host-memory",
        "The machine's memory was not enough.",
        "Take a machine with more memory, or load the weights straight to the GPU, shard by shard (safetensors). "
        "A build: options.machineType E2_HIGHCPU_32.",
        said=r"OOMKilled|exit[_ ](?:code|status):? ?137|out of memory",
        logged=r"^MemoryError|[^\w]MemoryError|[Cc]annot allocate memory|can't allocate memory|std::bad_alloc|^Killed$"
        r"|\b(?:exit code|exited with|exit status):? 137\b|OOMKilled",
    ),
    Cause(
        "wrong-platform",
        "The image is for another kind of processor.",
        "Build it for linux/amd64 (`docker build --platform linux/amd64`, or with Cloud Build): images from a Mac with "
        "an M chip are arm64.",
        logged=r"exec format error",
    ),
    Cause(
        "no-command",
        "The container's command does not exist in the image: {command}.",
        "Set container_spec.command to a program of the image, by its whole path, or leave it out for the ENTRYPOINT.",
        logged=r"exec: \W?(?P<command>[^\s:\"]+)\W?: (?:No such file|executable file not found|Permission denied)",
    ),
)
# What only counts when the container was started and did not serve.
SERVING: tuple[Cause, ...] = (
    Cause(
        "crash",
        "The container ended by itself while it started: {error}.",
        "Run the image on your machine with the same environment and command; the log below is where it broke.",
        logged=r"^\s*(?P<error>(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|NotFound)(?:: .*)?)$",
        when=r"exited|terminated",
    ),
    Cause(
        "health-route",
        "The container has no route {route}: the health check got 404.",
        "Set container_spec.health_route to the path that answers 200 when the model is ready (without one, Vertex AI "
        "asks /v1/endpoints/E/deployedModels/D).",
        logged=r"GET (?P<route>/[^\s\"]*)(?: HTTP/[\d.]+)?\"? (?:HTTP/[\d.]+ )?404\b",
    ),
    Cause(
        "wrong-port",
        "The container listens on port {port}; Vertex AI asks it on {asked_port}.",
        "Listen on $AIP_HTTP_PORT and 0.0.0.0, or set container_spec.ports = [{port}].",
        logged=r"(?i)(?:running|listening|started|serving|serves|bound|port)\b[^\n]*?[:\s](?P<port>\d{2,5})\b",
    ),
    Cause(
        "health-slow",
        "The container answered its health checks, but never with 200, in the time it had.",
        "Raise container_spec.deployment_timeout (at most 7200s) if the weights only take long to load; open the port "
        "at once and load in the background.",
        logged=r"GET /[^\s\"]*(?: HTTP/[\d.]+)?\"? (?:HTTP/[\d.]+ )?(?:5\d\d|429|400)\b"
        r"|(?i:loading (?:weights|model|checkpoint))",
    ),
    Cause(
        "crash-loop",
        "The container broke while it started: {error}.",
        "Run the image on your machine with the same environment and command; the log below is where it broke.",
        logged=r"^\s*(?P<error>(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|NotFound)(?:: .*)?)$",
    ),
    Cause(
        "exited",
        "The container ended by itself, and its log does not say why.",
        "Run the image on your machine with the same environment and command: the process must stay in the foreground.",
        said=r"exited unexpectedly|[Mm]odel server terminated|container terminated",
    ),
    Cause(
        "never-ready",
        "The container did not answer 200 on its health route in the time it had.",
        "It must listen on 0.0.0.0 at $AIP_HTTP_PORT and answer 200 on $AIP_HEALTH_ROUTE. Try it: docker run -e "
        "AIP_HTTP_PORT=8080 -p 8080:8080 IMAGE. More time: container_spec.deployment_timeout.",
        said=r"never became ready|not responding|DEADLINE_EXCEEDED|Timeout",
    ),
)
