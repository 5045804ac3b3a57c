"""A folder brought to where a phase begins, and the law of what may be there at the end."""

from __future__ import annotations

import hashlib
import io
import signal
import tarfile
import tempfile
from pathlib import Path

from tests.provider.local_cloud import PARENT
from tests.provider.workspace import wait_for

SCALED = ("scale",)
ROLLED = ("replace", "shift traffic", "undeploy old")
# Ends at once, or when it is killed: a job that is cancelled shall take its time.
TRAIN = """
import os, signal, time
if os.environ["ENDS"] == "never":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
"""


class Scene:
    """One combination's folder, with names of its own in the cloud."""

    def __init__(self, folder, cloud, phase, endpoint, models, deployed, trigger):
        self.folder, self.cloud, self.phase, self.endpoint = folder, cloud, phase, endpoint
        self.models, self.deployed, self.trigger = models, deployed, trigger
        self.name = f"campaign-{hashlib.sha256(str(folder.folder).encode()).hexdigest()[:8]}"

    def set(self, **timeouts):
        """The configuration that is applied, or destroyed, in the phase."""
        limit = {"timeouts": timeouts} if timeouts else {}
        name = self.phase.name
        if name in ("deploy", "destroy"):
            self._deploy(0, **limit)
        elif name in SCALED:
            self._deploy(0, replicas=(2, 3), **limit)
        elif name in ROLLED:
            self._deploy(
                1, **({"traffic": [{"percent": 20, "wait": "3s"}]} if name == "shift traffic" else {}), **limit
            )
        elif name == "build":
            self.folder.write(image_build=self._build(**limit))
        elif name.endswith("job"):
            self.folder.write(custom_job=self._job(**limit))
        else:
            self.folder.write(model=self._model("2" if name == "upload version" else "1", **limit))

    def prepare(self):
        """What must be there before."""
        name = self.phase.name
        if name in (*SCALED, *ROLLED, "destroy"):
            self._deploy(0)
            self.folder.apply()
        elif name in ("upload version", "delete model"):
            self.folder.write(model=self._model("1")).apply()
        elif name == "delete job":
            self.folder.write(custom_job=self._job()).apply()
        elif name == "cancel job":
            self._run_a_job()
        self.folder.progress_file.unlink(missing_ok=True)

    def _run_a_job(self):
        """A job that an apply began and was interrupted at."""
        self.folder.write(custom_job=self._job())
        process = self.folder.start("apply", "-auto-approve")
        self.folder.wait_for_phase("RUNNING")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)

    def check(self, fault):
        """Nothing twice, nothing left."""
        name, failed = self.phase.name, fault == "operation fails"
        if self.phase.command == "destroy":
            self._check_gone()
            return
        assert self.folder.is_unchanged()
        if name == "build":
            assert len(self._builds()) == (2 if failed else 1)
        elif name.endswith("job"):
            assert [one["state"] for one in self.jobs()] == ["JOB_STATE_SUCCEEDED"]
        elif name.startswith("upload"):
            versions = self.cloud.call("GET", f"/v1/{PARENT}/models/{self.name}:listVersions")["models"]
            assert len(versions) == (2 if name == "upload version" else 1)
        else:
            self._check_deployed()
        self.folder.destroy()
        self._check_gone()

    def _check_deployed(self):
        (one,) = self.cloud.deployed_to(self.endpoint)
        assert self.cloud.call("GET", f"/v1/{self.endpoint}")["trafficSplit"] == {one["id"]: 100}
        wanted = self.models[1 if self.phase.name in ROLLED else 0]
        assert f"{one['model']}@{one['modelVersionId']}".endswith(wanted.partition("models/")[2])
        if self.phase.name in SCALED:
            resources = one["dedicatedResources"]
            assert (resources["minReplicaCount"], resources["maxReplicaCount"]) == (2, 3)

    def _check_gone(self):
        assert self.folder.state() == {}
        assert self.cloud.deployed_to(self.endpoint) == []
        assert not self.cloud.exists(f"/v1/{PARENT}/models/{self.name}")
        assert self.jobs() == []
        names = (self.endpoint.rpartition("/")[2], self.name)
        # A process that was told to end has a moment for it.
        wait_for(lambda: not [one for one in self._processes() if any(name in one for name in names)])

    def jobs(self):
        return self.cloud.call("GET", f"/v1/{PARENT}/customJobs?filter=labels.scene%3D{self.name}").get(
            "customJobs", []
        )

    def _processes(self):
        return [one["name"] for one in self.cloud.call("GET", "/localcloud/status")["processes"]]

    def _builds(self):
        builds = self.cloud.call("GET", f"/v1/{PARENT}/builds")["builds"]
        return [one for one in builds if one.get("substitutions", {}).get("_IMAGE", "").endswith(self.name)]

    def _deploy(self, version, **fields):
        self.folder.write(endpoint_deployed_model=self.deployed(self.endpoint, self.models[version], **fields))

    def _model(self, version, **fields):
        spec = {"image_uri": self.cloud.image(version), "predict_route": "/predict", "health_route": "/health"}
        return {"model_id": self.name, "display_name": "Campaign", "container_spec": [spec], **fields}

    def _job(self, **fields):
        ends = "never" if self.phase.name == "cancel job" else "at once"
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "train.py").write_text(TRAIN)
            body = {"uri": f"europe-west4-docker.pkg.dev/flan/images/{self.name}:v1", "folder": folder}
            made = self.cloud.call("POST", "/localcloud/images", body | {"config": {"cmd": ["python", "train.py"]}})
        container = {"image_uri": f"europe-west4-docker.pkg.dev/flan/images/{self.name}@{made['digest']}"}
        pool = {"machine_spec": [{"machine_type": "n1-standard-4"}]}
        pool |= {"container_spec": [container | {"env": [{"name": "ENDS", "value": ends}]}]}
        return {"display_name": "Campaign", "labels": {"scene": self.name}, "worker_pool_specs": [pool], **fields}

    def _build(self, **fields):
        content = f"greeting of {self.name}"
        with tarfile.open(self.folder.folder / "source.tar.gz", "w:gz") as tar:
            files = {"Dockerfile": 'FROM python:3.11-slim\nCOPY greeting .\nCMD ["python"]\n', "greeting": content}
            for name, text in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
        return {
            "image": f"europe-west4-docker.pkg.dev/flan/campaign/{self.name}",
            "content_hash": hashlib.sha256(content.encode()).hexdigest(),
            "trigger": self.trigger,
            "source_archive": "source.tar.gz",
            "source_bucket": "flan-campaign",
            "keep_on_destroy": False,
            **fields,
        }
