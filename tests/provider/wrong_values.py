"""Configurations: right ones, every value that is refused and what is said of it, blocks that are not known yet."""

from __future__ import annotations

PLACE = "projects/flan/locations/europe-west4"
IMAGE = f"europe-west4-docker.pkg.dev/flan/images/echo@sha256:{'0' * 64}"
CONTAINER = {"image_uri": IMAGE}
RIGHT = {
    "model": {"display_name": "Flan", "container_spec": [CONTAINER]},
    "endpoint_deployed_model": {
        "endpoint": f"{PLACE}/endpoints/1",
        "model": f"{PLACE}/models/flan@1",
        "dedicated_resources": [
            {
                "min_replica_count": 1,
                "max_replica_count": 2,
                "machine_spec": [{"machine_type": "a2-highgpu-1g", "accelerator_type": "NVIDIA_TESLA_A100"}],
            }
        ],
    },
    "image_build": {
        "image": "europe-west4-docker.pkg.dev/flan/images/echo",
        "content_hash": "0" * 64,
        "trigger": f"{PLACE}/triggers/t",
        "revision": "1" * 40,
    },
}
SPEC, RESOURCES = ("container_spec", 0), ("dedicated_resources", 0)
MACHINE = (*RESOURCES, "machine_spec", 0)
METRIC = "aiplatform.googleapis.com/prediction/online/"


def machine(kind, accelerator=None, count=None):
    found = {"machine_type": kind, "accelerator_type": accelerator, "accelerator_count": count}
    return {key: value for key, value in found.items() if value is not None}


# Resource, where, value, what is said; the line that Terraform points at is the attribute's.
WRONG = [
    ("model", ("model_id",), "9lives", "Got '9lives'; allowed is at most 63 of a-z, 0-9, _ and -"),
    ("model", ("model_id",), "Flan", "allowed is at most 63 of a-z, 0-9, _ and -, not beginning with a digit"),
    ("model", ("display_name",), "x" * 129, "(129 characters)'; allowed is 1 to 128 characters"),
    ("model", ("location",), "europe-west4-a", "Got 'europe-west4-a'; allowed is a region such as europe-west4"),
    ("model", ("location",), "us", "in regions only, not in zones or multi-regions"),
    ("model", ("artifact_uri",), "/models/flan", "allowed is a folder in Cloud Storage, as gs://BUCKET/FOLDER"),
    ("model", ("version_aliases",), ["Prod"], "Got 'Prod'; allowed is a letter of a-z, then up to 127 letters"),
    ("model", ("labels",), {"Team": "ml"}, "Got 'Team'; allowed is a key of at most 63 of a-z, 0-9, _ and -"),
    ("model", ("labels",), {"1st": "ml"}, "beginning with a letter"),
    ("model", ("labels",), {"version": "1.2"}, "Got 'version = 1.2'; allowed is a value of at most 63"),
    ("model", ("labels",), {"k": "v" * 64}, "allowed is a value of at most 63"),
    ("model", ("labels",), {f"k{n}": "v" for n in range(65)}, "Got '65 labels'; allowed is at most 64"),
    ("model", ("timeouts",), {"create": "soon"}, "got 'soon'; allowed is a duration above zero such as 90m"),
    ("model", (*SPEC, "predict_route"), "predict", "Got 'predict'; allowed is a path that begins with /"),
    ("model", (*SPEC, "health_route"), "health", "Got 'health'; allowed is a path that begins with /"),
    ("model", (*SPEC, "ports"), [0], "Got 0; allowed is a whole number, from 1 to 65535"),
    ("model", (*SPEC, "ports"), [65536], "Got 65536; allowed is a whole number, from 1 to 65535"),
    ("model", (*SPEC, "ports"), [80.5], "Got 80.5; allowed is a whole number"),
    ("model", (*SPEC, "deployment_timeout"), "7201s", "allowed is seconds up to two hours, as 7200s"),
    ("model", (*SPEC, "deployment_timeout"), "2h", "allowed is seconds up to two hours, as 7200s"),
    ("model", (*SPEC, "shared_memory_size_mb"), 0, "Got 0; allowed is a whole number, 1 or more"),
    ("model", (*SPEC, "env"), [{"name": "AIP_PORT", "value": "1"}], "does not begin with AIP_, which Vertex AI sets"),
    ("model", (*SPEC, "env"), [{"name": "A-B", "value": "1"}], "Got 'A-B'; allowed is a name of letters, digits and _"),
    ("model", (*SPEC, "env"), [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}], "allowed is each name once"),
    ("model", (*SPEC, "health_probe"), [{"period_seconds": 0}], "Got 0; allowed is a whole number, 1 or more"),
    (
        "model",
        (*SPEC, "health_probe"),
        [{"http_get": [{"path": "up"}]}],
        "Got 'up'; allowed is a path that begins with /",
    ),
    (
        "model",
        (*SPEC, "startup_probe"),
        [{"http_get": [{"path": "/"}], "exec": [{"command": ["true"]}]}],
        "Got 'http_get and exec'; allowed is one of http_get and exec",
    ),
    ("endpoint_deployed_model", ("endpoint",), "endpoints/1", "it must begin projects/PROJECT/locations/LOCATION/"),
    (
        "endpoint_deployed_model",
        ("model",),
        "flan",
        "allowed is projects/PROJECT/locations/LOCATION/models/MODEL@VERSION",
    ),
    (
        "endpoint_deployed_model",
        ("model",),
        "projects/flan/locations/us-central1/models/flan@1",
        "allowed is one in europe-west4, as the endpoint is. Put both into one region: got us-central1 and europe",
    ),
    ("endpoint_deployed_model", ("deployed_model_id",), "123456789012345678901", "allowed is 1 to 10 digits"),
    ("endpoint_deployed_model", ("deployed_model_id",), "one", "Got 'one'; allowed is 1 to 10 digits"),
    ("endpoint_deployed_model", ("display_name",), "x" * 129, "allowed is 1 to 128 characters"),
    ("endpoint_deployed_model", ("service_account",), "serving", "allowed is the e-mail address of a service account"),
    ("endpoint_deployed_model", ("traffic_percent",), 101, "Got 101; allowed is a whole number, from 0 to 100"),
    ("endpoint_deployed_model", ("traffic_percent",), 12.5, "Got 12.5; allowed is a whole number, from 0 to 100"),
    ("endpoint_deployed_model", (*RESOURCES, "min_replica_count"), 0, "Scale to zero is not in this API version"),
    (
        "endpoint_deployed_model",
        (*RESOURCES, "min_replica_count"),
        3,
        "Got 3; allowed is at most max_replica_count (2)",
    ),
    (
        "endpoint_deployed_model",
        (*RESOURCES, "max_replica_count"),
        1.5,
        "Got 1.5; allowed is a whole number, 1 or more",
    ),
    ("endpoint_deployed_model", (*RESOURCES, "required_replica_count"), 2, "allowed is at most min_replica_count (1)"),
    (
        "endpoint_deployed_model",
        MACHINE,
        machine("a2-highgpu-1g"),
        "Got None; allowed is NVIDIA_TESLA_A100, which a2-highgpu-1g has built in: it must be named",
    ),
    (
        "endpoint_deployed_model",
        MACHINE,
        machine("a2-highgpu-1g", "NVIDIA_L4"),
        "Got 'NVIDIA_L4'; allowed is NVIDIA_TESLA_A100, which a2-highgpu-1g has built in",
    ),
    (
        "endpoint_deployed_model",
        MACHINE,
        machine("a2-highgpu-2g", "NVIDIA_TESLA_A100", 1),
        "Got 1; allowed is 2, which a2-highgpu-2g has built in",
    ),
    ("endpoint_deployed_model", MACHINE, machine("g2-standard-24", "NVIDIA_L4"), "Got None; allowed is 2"),
    (
        "endpoint_deployed_model",
        MACHINE,
        machine("e2-standard-4", "NVIDIA_TESLA_T4", 1),
        "allowed is none: e2-standard-4 takes no accelerator. Attach one to an n1 machine",
    ),
    (
        "endpoint_deployed_model",
        MACHINE,
        machine("n1-standard-8", "NVIDIA_L4", 1),
        "NVIDIA_L4 comes with g2-standard machines",
    ),
    (
        "endpoint_deployed_model",
        MACHINE,
        machine("n1-standard-8", "NVIDIA_TESLA_T4", 3),
        "Got 3; allowed is 1 or 2 or 4 of NVIDIA_TESLA_T4",
    ),
    ("endpoint_deployed_model", MACHINE, machine("n1-standard-8", None, 1), "allowed is none without accelerator_type"),
    (
        "endpoint_deployed_model",
        MACHINE,
        {**machine("n1-standard-8"), "reservation_affinity": [{"reservation_affinity_type": "ANY"}]},
        "Got 'ANY'; allowed is NO_RESERVATION, ANY_RESERVATION, SPECIFIC_RESERVATION",
    ),
    (
        "endpoint_deployed_model",
        (*RESOURCES, "autoscaling_metric_specs"),
        [{"metric_name": f"{METRIC}cpu/utilization", "target": 101}],
        "Got 101; allowed is a whole number, from 1 to 100",
    ),
    (
        "endpoint_deployed_model",
        (*RESOURCES, "autoscaling_metric_specs"),
        [{"metric_name": "cpu", "target": 60}],
        "Got 'cpu'; allowed is a metric's whole name",
    ),
    (
        "endpoint_deployed_model",
        ("traffic",),
        [{"percent": 50}, {"percent": 40}],
        "Got 40; allowed is more than the step before has (50)",
    ),
    ("endpoint_deployed_model", ("traffic",), [{"percent": 101}], "Got 101; allowed is a whole number from 1 to 100"),
    (
        "endpoint_deployed_model",
        ("traffic",),
        [{"percent": 10, "max_error_rate": 0.1}],
        "allowed is none without `wait`: nothing would be measured",
    ),
    ("endpoint_deployed_model", ("golden",), [{"instance": "hi"}], "Got 'hi'; allowed is JSON, such as jsonencode"),
    ("image_build", ("image",), "echo", "Got 'echo'; allowed is LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/NAME"),
    ("image_build", ("image",), f"{RIGHT['image_build']['image']}:v1", "without tag or digest"),
    ("image_build", ("content_hash",), "abc", "Got 'abc'; allowed is a sha256 of 64 hexadecimal digits"),
    ("image_build", ("trigger",), "serving", "allowed is projects/PROJECT/locations/LOCATION/triggers/ID"),
    ("image_build", ("revision",), "main", "Got 'main'; allowed is a whole commit id of 40 hexadecimal digits"),
    ("image_build", ("substitutions",), {"_TAG": "v1"}, "Got '_TAG'; allowed is any other"),
    ("image_build", ("substitutions",), {"size": "xl"}, "Got 'size'; allowed is a name of _ and then A-Z, 0-9 and _"),
    (
        "image_build",
        ("source_archive",),
        "source.tar.gz",
        "Got revision and source_archive; set exactly one of revision",
    ),
]
DOUBTED = [
    ("model", (*SPEC, "image_uri"), IMAGE.partition("@")[0] + ":v1", "allowed is an image by digest (…@sha256:…)"),
    (
        "endpoint_deployed_model",
        MACHINE,
        machine("a2-highgpu-3g", "NVIDIA_TESLA_A100"),
        "allowed is one of a2-highgpu-1g",
    ),
]
# Nobody's table knows them, and Google may.
PASSED = [
    ("endpoint_deployed_model", MACHINE, machine("ct5lp-hightpu-4t")),
    ("endpoint_deployed_model", MACHINE, machine("z9-highgpu-1g", "NVIDIA_Z900", 3)),
    ("model", (*SPEC, "image_uri"), f"docker.io/library/echo@sha256:{'0' * 64}"),
    ("model", ("labels",), {"größe": "klein", "stage": ""}),
]

DYNAMIC = """
resource "terraform_data" "later" {{ input = "${{timestamp()}}" }}
locals {{ later = toset([for one in [terraform_data.later.output] : one]) }}
resource "vertex_model" "this" {{
  display_name = "Dynamic"
  container_spec {{
    image_uri = "{image}"
    dynamic "env" {{
      for_each = local.later
      content {{
        name  = "A"
        value = env.key
      }}
    }}
  }}
}}
resource "vertex_endpoint_deployed_model" "this" {{
  endpoint = "{place}/endpoints/1"
  model    = "{place}/models/flan@1"
  dynamic "dedicated_resources" {{
    for_each = local.later
    content {{
      min_replica_count = 1
      max_replica_count = 1
      machine_spec {{ machine_type = "n1-standard-4" }}
    }}
  }}
  dynamic "traffic" {{
    for_each = local.later
    content {{ percent = 10 }}
  }}
  dynamic "golden" {{
    for_each = local.later
    content {{ instance = golden.key }}
  }}
  dynamic "promotion" {{
    for_each = local.later
    content {{ metrics = [promotion.key] }}
  }}
}}
resource "vertex_custom_job" "this" {{
  display_name = "Dynamic"
  dynamic "worker_pool_specs" {{
    for_each = local.later
    content {{
      machine_spec {{ machine_type = "n1-standard-4" }}
      container_spec {{ image_uri = worker_pool_specs.key }}
    }}
  }}
  dynamic "scheduling" {{
    for_each = local.later
    content {{ timeout = "1h" }}
  }}
}}
"""
