"""What resources cost before and after, each price computed by hand in a comment."""

from datetime import date

import pytest

from cdk.prices.table import PriceTable
from scripts.plan_review.cost import bill

KIND = "vertex_endpoint_deployed_model"
A100 = 4.3101678  # USD per hour, Vertex AI, europe-west4; the accelerator is in it


def line(plans, kind, after, before=None, **more):
    (one,) = plans.proposal(plans.stack(plans.resource(kind, before, after, **more))).bill.lines
    return one


def test_replicas_give_a_range_from_the_least_to_the_most(plans):
    one = line(plans, KIND, plans.deployed(low=1, high=3))

    # 1 x 4.3101678 to 3 x 4.3101678
    assert (one.after.low, one.after.high) == (pytest.approx(A100), pytest.approx(3 * A100))
    assert one.before is None
    assert one.what == "deployed model, 1 to 3 x a2-highgpu-1g"


def test_the_region_of_the_endpoint_decides_the_price(plans):
    far = plans.deployed() | {"endpoint": "projects/p/locations/us-central1/endpoints/1"}

    assert line(plans, KIND, far).after.low == pytest.approx(4.2244949)


def test_a_spot_machine_has_its_own_price(plans):
    spot = plans.deployed()
    spot["dedicated_resources"][0]["spot"] = True

    # 1.45 + 0.15 x 3.747972
    assert line(plans, KIND, spot).after.low == pytest.approx(2.0122)


def test_what_is_kept_or_left_beside_costs_as_much_again(plans):
    kept = plans.deployed(keep_previous=True, previous_deployed_model_id="7")
    left = plans.deployed(leftover_deployed_model_ids=["8", "9"])

    assert line(plans, KIND, kept).after.low == pytest.approx(2 * A100)
    assert line(plans, KIND, plans.deployed(), before=left).before.low == pytest.approx(3 * A100)
    assert line(plans, KIND, plans.deployed(), before=left).after.low == pytest.approx(A100)


def test_a_machine_without_a_price_is_unknown_and_no_zero(plans):
    one = line(plans, KIND, plans.deployed(machine="a2-highgpu-2g"))

    assert "no price of vertex-prediction for a2-highgpu-2g in europe-west4" in one.after.unknown
    assert (
        "unknown"
        in plans.reviewed(plans.stack(plans.resource(KIND, None, plans.deployed(machine="a2-highgpu-2g")))).verdict
    )


def test_the_serving_image_costs_its_storage(plans):
    image = {"image": "europe-west4-docker.pkg.dev/p/flan-images/flan-t5-serving"}

    # (11.14 x 2 + 4 - 0.5) GB x 0.10 / 730
    assert line(plans, "vertex_image_build", image).after.low == pytest.approx(25.78 * 0.10 / 730)


def test_a_page_costs_from_its_idle_minimum_to_its_busy_maximum(plans):
    template = {
        "scaling": [{"min_instance_count": 1, "max_instance_count": 4}],
        "containers": [{"resources": [{"limits": {"cpu": "2", "memory": "512Mi"}}]}],
    }
    one = line(plans, "google_cloud_run_v2_service", {"location": "europe-west4", "template": [template]})

    # idle 1 x (2 x 0.0000025 + 0.5 x 0.0000025) x 3600; busy 4 x (2 x 0.000024 + 0.5 x 0.0000025) x 3600
    assert one.after.low == pytest.approx(0.0225)
    assert one.after.high == pytest.approx(0.7092)


def test_a_page_outside_the_priced_regions_is_unknown(plans):
    one = line(plans, "google_cloud_run_v2_service", {"location": "southamerica-east1", "template": [{}]})

    assert "southamerica-east1" in one.after.unknown


def test_a_gke_cluster_and_its_gpu_nodes(plans):
    pool = {
        "location": "us-central1-a",
        "node_config": [
            {"machine_type": "a2-highgpu-1g", "guest_accelerator": [{"type": "nvidia-tesla-a100", "count": 1}]}
        ],
        "autoscaling": [{"min_node_count": 0, "max_node_count": 2}],
    }

    # 0.10 of management; nodes 0 to 2 x 3.673385, the A100 within
    assert line(plans, "google_container_cluster", {"location": "us-central1"}).after.low == pytest.approx(0.10)
    nodes = line(plans, "google_container_node_pool", pool).after
    assert (nodes.low, nodes.high) == (0, pytest.approx(2 * 3.673385))


def test_a_sagemaker_endpoint_costs_its_instances(plans):
    variants = {"production_variants": [{"instance_type": "ml.g5.2xlarge", "initial_instance_count": 2}]}

    # 2 x 1.515
    assert line(plans, "aws_sagemaker_endpoint_configuration", variants).after.low == pytest.approx(3.03)


def test_a_tensorboard_and_a_kind_nobody_knows_are_unknown(plans):
    assert "tensorboard" in line(plans, "google_vertex_ai_tensorboard", {"region": "europe-west4"}).after.unknown
    assert "google_redis_instance is not in the price table" in line(plans, "google_redis_instance", {}).after.unknown


def test_settings_and_identities_have_no_line(plans):
    free = [
        plans.resource(kind, None, {}) for kind in ("google_project_service", "google_service_account", "vertex_model")
    ]

    assert plans.proposal(plans.stack(*free)).bill.lines == ()


def test_a_build_costs_its_minutes_once_and_its_disk_is_unknown(plans):
    image = "europe-west4-docker.pkg.dev/p/flan-images/flan-t5-serving"
    build = {"timeout": "7200s", "options": [{"machine_type": "E2_HIGHCPU_8", "disk_size_gb": 300}]}
    trigger = plans.resource("google_cloudbuild_trigger", None, {"substitutions": {"_IMAGE": image}, "build": [build]})
    made = plans.proposal(
        plans.stack(trigger, name="registry"), plans.stack(plans.resource("vertex_image_build", None, {"image": image}))
    )

    (once,) = made.bill.once
    # 120 min x 0.016
    assert once.usd == pytest.approx(1.92)
    assert "200 GB of its disk" in once.what
    assert "price unknown" in once.what


def test_a_build_whose_image_has_no_name_yet_is_unknown(plans):
    trigger = plans.resource("google_cloudbuild_trigger", None, {"substitutions": {"_IMAGE": None}, "build": [{}]})
    made = plans.proposal(plans.stack(trigger, plans.resource("vertex_image_build", None, {"image": None})))

    assert [once.usd for once in made.bill.once] == [None]
    assert [line.what for line in made.bill.lines] == ["image"]


def test_an_image_that_stays_is_not_built(plans):
    image = {"image": "europe-west4-docker.pkg.dev/p/flan-images/flan-t5-serving"}

    assert plans.proposal(plans.stack(plans.resource("vertex_image_build", image, image))).bill.once == ()


def test_a_rolling_redeployment_pays_for_both_meanwhile(plans):
    new = plans.deployed(model=f"{plans.MODELS}@2", timeouts={"update": "2h"})
    (once,) = plans.proposal(plans.stack(plans.resource(KIND, plans.deployed(), new))).bill.once

    # at most two hours of a second A100
    assert once.usd == pytest.approx(2 * A100)


def test_a_training_job_on_a_machine_without_a_price_is_unknown(plans):
    pool = {"worker_pool_specs": [{"machine_spec": [{"machine_type": "a2-highgpu-1g"}], "replica_count": None}]}
    (once,) = plans.proposal(plans.stack(plans.resource("vertex_custom_job", None, pool))).bill.once

    assert once.usd is None
    assert "no price of vertex-training" in once.what


def test_a_training_job_costs_its_machines_for_as_long_as_it_may_run(plans, monkeypatch):
    """With a table that has a price: ours has none for training yet."""
    rates = {"unit": "hour", "rates": {"europe-west4": {"m": {"usd": 2.0, "source": "s"}}}}
    listed = PriceTable({"dated": date(2026, 11, 21), "sources": {"s": "https://x"}, "vertex-training": rates})
    monkeypatch.setattr(bill, "table", lambda: listed)
    pools = [{"machine_spec": [{"machine_type": "m"}]}, {"machine_spec": [{"machine_type": "m"}], "replica_count": 3}]
    job = {"worker_pool_specs": pools, "scheduling": [{"timeout": "90m"}]}

    (once,) = plans.proposal(plans.stack(plans.resource("vertex_custom_job", None, job))).bill.once

    # (1 + 3) machines x 2.00 x 1.5 h
    assert once.usd == pytest.approx(12)
    assert once.what == "one run on 1 x m, 3 x m for at most 1.5 h"
