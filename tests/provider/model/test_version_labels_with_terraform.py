"""Labels of one version: uploaded with it, changed in place, never taken for the model's. Real Terraform."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.e2e]

PARENT = "projects/flan/locations/europe-west4"
SCORED = f"{PARENT}/models/labelled"


@pytest.fixture(scope="module")
def folder(workspace, cloud):
    """Applies the model with this container and these labels of its newest version."""
    place = workspace("version-labels")

    def apply(version, labels, **fields):
        container = {"image_uri": cloud.image(version), "predict_route": "/predict", "health_route": "/health"}
        body = {"model_id": "labelled", "display_name": "Labelled", "labels": {"team": "ml"}, **fields}
        place.write(model={**body, "version_labels": labels, "container_spec": [container]})
        return place

    return apply


def shown(cloud, version):
    return cloud.call("GET", f"/v1/{SCORED}@{version}")["labels"]


def test_each_version_keeps_its_own_and_the_next_plan_is_empty(folder, cloud):
    for version, score in (("1", "40_0000"), ("2", "41_5000")):
        place = folder(version, {"eval_rouge1": score})
        place.apply()
        assert place.is_unchanged()

    assert shown(cloud, "1") == {"team": "ml", "eval_rouge1": "40_0000"}
    assert shown(cloud, "2") == {"team": "ml", "eval_rouge1": "41_5000"}


def test_they_change_in_place_and_what_somebody_changed_is_planned_back(folder, cloud):
    place = folder("2", {"eval_rouge1": "42_0000", "task": "dialogue"})
    place.apply()
    assert shown(cloud, "2") == {"team": "ml", "eval_rouge1": "42_0000", "task": "dialogue"}
    assert place.state()["model"]["version_id"] == "2"

    cloud.call("PATCH", f"/v1/{SCORED}@2?updateMask=labels", {"labels": {"eval_rouge1": "99_0000"}})
    assert place.actions() == {"model": "update"}
    place.apply()
    assert shown(cloud, "2") == {"team": "ml", "eval_rouge1": "42_0000", "task": "dialogue"}

    folder("2", {}).apply()
    assert shown(cloud, "2") == {"team": "ml"}


def test_a_key_of_both_is_refused(folder):
    said = folder("2", {"team": "eval"}).refused("plan")

    assert "Got 'team'; allowed is a key that is not in labels" in said
