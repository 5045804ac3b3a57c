"""What the stack `registry` promises."""

import pytest

ENVIRONMENTS = ("local", "prod")


@pytest.fixture(params=ENVIRONMENTS)
def system(request):
    return request.getfixturevalue(request.param)


def trigger(system, name):
    found = system.resources("registry", "google_cloudbuild_trigger").values()
    return next(one for one in found if one["name"] == name)


def test_images_repository_is_docker_in_the_models_region_and_carries_the_prefix(system):
    repository = system.only("registry", "google_artifact_registry_repository")

    assert repository["format"] == "DOCKER"
    assert repository["repository_id"] == "flan-images"
    assert repository["location"] == system.stacks["model"]["provider"]["vertex"][0]["region"] == "europe-west4"


def test_cleanup_keeps_the_newest_versions_whatever_their_age(system):
    policies = {
        one["action"]: one for one in system.only("registry", "google_artifact_registry_repository")["cleanup_policies"]
    }

    assert policies["DELETE"]["condition"]["older_than"] == "2592000s"
    assert policies["KEEP"]["most_recent_versions"]["keep_count"] == 5


def test_buckets_are_private_and_in_the_region(system):
    buckets = system.resources("registry", "google_storage_bucket")

    assert set(buckets) == {"staging", "models"}
    for bucket in buckets.values():
        assert bucket["uniform_bucket_level_access"] is True
        assert bucket["public_access_prevention"] == "enforced"
        assert bucket["location"] == "europe-west4"
    assert buckets["staging"]["lifecycle_rule"][0]["condition"]["age"] == 30
    assert buckets["models"]["force_destroy"] is False


def test_the_serving_build_has_two_hours_a_large_disk_and_says_where_it_logs(system):
    serving = trigger(system, "flan-serving-image")
    build = serving["build"]

    assert build["timeout"] == "7200s"
    assert build["options"] == {
        "disk_size_gb": 300,
        "logging": "CLOUD_LOGGING_ONLY",
        "machine_type": "E2_HIGHCPU_8",
        "requested_verify_option": "VERIFIED",
    }


def test_the_serving_build_fetches_weights_then_builds_and_lists_its_image(system):
    fetch, image = trigger(system, "flan-serving-image")["build"]["step"]

    assert fetch["name"] == "python:3.11-slim"
    assert [fetch["entrypoint"], *fetch["args"]] == ["python", "serving/weights.py", "--out", "weights"]
    assert fetch["env"] == ["WEIGHTS=$${_WEIGHTS}"]
    assert image["args"] == ["build", "-t", "$${_IMAGE}:$${_TAG}", "-f", "serving/Dockerfile", "."]
    for name in ("flan-serving-image", "flan-ui-image"):
        assert trigger(system, name)["build"]["images"] == ["$${_IMAGE}:$${_TAG}"]


def test_triggers_are_regional_and_log_under_their_account(system):
    for one in system.resources("registry", "google_cloudbuild_trigger").values():
        assert one["location"] == "europe-west4"
        assert one["build"]["options"]["logging"] == "CLOUD_LOGGING_ONLY"
        assert "identities_build" in one["service_account"]


def test_triggers_build_from_the_repository_when_there_is_no_connection(system):
    source = trigger(system, "flan-serving-image")["source_to_build"]

    assert source == {"ref": "refs/heads/main", "repo_type": "GITHUB", "uri": "https://github.com/your-org/flanstack"}
    assert system.every("google_cloudbuildv2_connection") == []


def test_a_named_connection_makes_a_repository_that_the_triggers_use(synthesize, configured):
    connection = {"app_installation_id": 7, "oauth_token_secret_version": "projects/p/secrets/s/versions/1"}
    system = synthesize(configured("local", source__connection=connection))

    github = system.only("registry", "google_cloudbuildv2_connection")
    assert github["github_config"]["app_installation_id"] == 7
    assert system.only("registry", "google_cloudbuildv2_repository")["parent_connection"] == (
        "${google_cloudbuildv2_connection.github.name}"
    )
    source = trigger(system, "flan-serving-image")["source_to_build"]
    assert source["repository"] == "${google_cloudbuildv2_repository.repository.id}"
    assert "uri" not in source


def test_every_api_that_the_stacks_call_is_enabled_and_stays_enabled(system):
    services = system.resources("registry", "google_project_service").values()

    assert {"aiplatform.googleapis.com", "run.googleapis.com", "containeranalysis.googleapis.com"} <= {
        one["service"] for one in services
    }
    assert all(one["disable_on_destroy"] is False for one in services)


def test_what_needs_an_api_waits_for_it(system):
    for kind in ("google_artifact_registry_repository", "google_storage_bucket", "google_cloudbuild_trigger"):
        for resource in system.resources("registry", kind).values():
            assert "google_project_service.api-artifactregistry" in resource["depends_on"]
