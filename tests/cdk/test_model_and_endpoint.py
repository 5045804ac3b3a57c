"""What the stacks `model` and `endpoint` promise."""

import json
import re

import pytest


@pytest.fixture(params=("local", "prod"))
def system(request):
    return request.getfixturevalue(request.param)


def test_the_model_refers_to_its_image_by_digest_through_the_build(system):
    spec = system.only("model", "vertex_model")["container_spec"][0]

    assert spec["image_uri"] == "${vertex_image_build.image.image_uri}"


def test_the_model_says_its_region_so_that_a_change_of_it_is_planned(prod):
    model = prod.only("model", "vertex_model")

    assert model["location"] == prod.only("endpoint", "google_vertex_ai_endpoint")["location"] == "europe-west4"


def test_the_container_contract_is_stated(system):
    spec = system.only("model", "vertex_model")["container_spec"][0]

    assert spec["ports"] == [7080]
    assert (spec["predict_route"], spec["health_route"]) == ("/predict", "/health")
    assert spec["deployment_timeout"] == "7200s"
    assert spec["health_probe"][0]["http_get"] == [{"path": "/health", "port": 7080}]


def test_the_server_is_told_its_dtype_name_and_time_out(prod):
    env = {one["name"]: one["value"] for one in prod.only("model", "vertex_model")["container_spec"][0]["env"]}

    assert env == {"DTYPE": "float16", "MODEL_NAME": "flan-t5-xxl", "REQUEST_TIMEOUT_S": "120"}


def test_the_server_behind_a_shared_endpoint_is_told_so(synthesize, configured, local):
    shared = synthesize(configured("local", endpoint__dedicated=False, endpoint__request_timeout_s=50))
    told = {"name": "VERTEX_ENDPOINT_TYPE", "value": "shared"}

    assert told in shared.only("model", "vertex_model")["container_spec"][0]["env"]
    assert told not in local.only("model", "vertex_model")["container_spec"][0]["env"]


def test_the_build_gets_the_weights_manifest_and_two_hours(prod):
    build = prod.only("model", "vertex_image_build")
    manifest = json.loads(build["substitutions"]["_WEIGHTS"])

    assert manifest["source"].startswith("https://huggingface.co/philschmid/flan-t5-xxl-sharded-fp16/resolve/")
    assert len([name for name in manifest["files"] if name.endswith(".bin")]) == 12
    assert len(build["substitutions"]["_WEIGHTS"]) < 4000
    assert build["timeouts"] == {"create": "7800s"}


def test_prod_builds_the_commit_and_local_the_working_tree(local, prod):
    commit, upload = prod.only("model", "vertex_image_build"), local.only("model", "vertex_image_build")

    assert re.fullmatch(r"[0-9a-f]{40}", commit["revision"])
    assert "source_archive" not in commit
    assert "revision" not in upload
    assert (local.folder / "stacks" / "model" / upload["source_archive"]).is_file()


def test_the_models_labels_change_with_its_content_and_not_with_a_commit(prod):
    build, labels = prod.only("model", "vertex_image_build"), prod.only("model", "vertex_model")["labels"]

    assert labels["content"] == build["content_hash"][:16]
    assert build["revision"] not in labels.values()


def test_the_endpoints_name_is_numeric_and_its_traffic_is_the_deployed_models(system):
    endpoint = system.only("endpoint", "google_vertex_ai_endpoint")

    assert re.fullmatch(r"[1-9]\d{0,8}", endpoint["name"])
    assert endpoint["dedicated_endpoint_enabled"] is True
    assert endpoint["location"] == endpoint["region"] == "europe-west4"
    assert "traffic_split" not in system.text()


def test_one_a100_serves_and_a_new_one_comes_before_the_old_one_goes(system):
    deployed = system.only("endpoint", "vertex_endpoint_deployed_model")

    assert deployed["lifecycle"]["create_before_destroy"] is True
    assert deployed["strategy"] == "rolling"
    assert deployed["golden"][0]["expected"]
    assert deployed["timeouts"]["create"] == "9000s"
    assert deployed["dedicated_resources"] == [
        {
            "machine_spec": [
                {"machine_type": "a2-highgpu-1g", "accelerator_type": "NVIDIA_TESLA_A100", "accelerator_count": 1}
            ],
            "min_replica_count": 1,
            "max_replica_count": 1,
        }
    ]


def test_the_endpoint_deploys_the_version_that_the_model_stack_made(system):
    deployed = system.only("endpoint", "vertex_endpoint_deployed_model")

    assert deployed["endpoint"] == "${google_vertex_ai_endpoint.endpoint.id}"
    assert re.fullmatch(
        r"\$\{data\.terraform_remote_state\.cross-stack-reference-input-model\.outputs\..*version_name\}",
        deployed["model"],
    )
    assert "identities_serving" in deployed["service_account"]


def test_autoscaling_spot_and_reservation_come_from_the_file(synthesize, configured):
    scaled = synthesize(
        configured("local", endpoint__max_replicas=3, endpoint__duty_cycle_target=60, endpoint__spot=True)
    )
    name = "projects/p/zones/europe-west4-a/reservations/flan"
    reserved = synthesize(configured("local", endpoint__reservation={"name": name}))

    resources = scaled.only("endpoint", "vertex_endpoint_deployed_model")["dedicated_resources"][0]
    assert resources["spot"] is True
    assert resources["max_replica_count"] == 3
    assert resources["autoscaling_metric_specs"] == [
        {"metric_name": "aiplatform.googleapis.com/prediction/online/accelerator/duty_cycle", "target": 60}
    ]
    machine = reserved.only("endpoint", "vertex_endpoint_deployed_model")["dedicated_resources"][0]["machine_spec"][0]
    assert machine["reservation_affinity"] == [
        {
            "reservation_affinity_type": "SPECIFIC_RESERVATION",
            "key": "compute.googleapis.com/reservation-name",
            "values": [name],
        }
    ]


def test_outputs_are_those_that_people_and_scripts_read(system):
    def outputs(stack):
        names = {name for name in system.stacks[stack]["output"] if not name.startswith("cross-stack-output")}
        assert "provider_versions" in names  # of every stack, for the plan review
        return names - {"provider_versions"}

    for_ci = {"planner_email", "deployer_email"}
    assert outputs("registry") == {"image_prefix", "serving_trigger", "staging_bucket", "ui_trigger"} | for_ci
    assert outputs("model") == {"image_uri", "model_name", "model_version"}
    assert outputs("endpoint") == {"deployed_model_id", "endpoint_name", "predict_url", "price_usd_per_hour"}
    assert outputs("ui") == {"image_uri", "ui_url"}
    assert 4 < system.stacks["endpoint"]["output"]["price_usd_per_hour"]["value"] < 5


def test_an_apply_that_ends_before_it_serves_fails_the_pipeline(system):
    (condition,) = system.only("endpoint", "vertex_endpoint_deployed_model")["lifecycle"]["postcondition"]

    assert condition["condition"] == '${self.status == "ready"}'
    assert "Apply again" in condition["error_message"]
