"""What `make up` shows while it deploys."""

import io
import json
import time
from datetime import UTC, datetime

from scripts.timeline import Timeline
from scripts.up import ProgressFollower


def test_the_providers_phase_and_what_is_usual_are_on_the_running_line(tmp_path):
    path, out = tmp_path / "logs" / "progress.jsonl", io.StringIO()
    told = {"time": datetime.now(UTC).isoformat(), "resource": "vertex_thing", "id": "e/1", "phase": "DEPLOYING"}
    with Timeline(out).phase("deploy") as phase, ProgressFollower(path, phase):
        with path.open("a") as file:
            file.write(json.dumps({**told, "phase_s": 372.0, "elapsed_s": 843.0, "usual_s": 580.0}) + "\nhalf a l")
        deadline = time.monotonic() + 5
        while "usually" not in out.getvalue() and time.monotonic() < deadline:
            time.sleep(0.05)

    assert "vertex_thing: DEPLOYING 06:12, usually 09:40" in out.getvalue()
