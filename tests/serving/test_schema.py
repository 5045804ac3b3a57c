"""Schemathesis against the server's own OpenAPI document: whatever it generates, no answer is a 5xx."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.mark.slow
def test_no_generated_request_gets_a_5xx_or_an_undocumented_answer(start_server, tmp_path):
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("schemathesis is not installed")
    server = start_server(MAX_NEW_TOKENS=64, DEFAULT_NEW_TOKENS=8).wait_healthy()

    done = subprocess.run(
        [program, "run", server.url + "/openapi.json", "--checks", CHECKS, "--max-examples", "10", "--seed", "7"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    generated, passed = map(int, re.search(r"(\d+) generated, (\d+) passed\n", done.stdout).groups())
    assert generated == passed > 1000
