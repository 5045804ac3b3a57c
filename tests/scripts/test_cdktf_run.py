"""A run of cdktf is followed stack by stack, and stopped so that terraform keeps what it knows."""

import os
import signal
import sys
import threading
import time

import pytest

from scripts import cdktf_run
from scripts.cdktf_run import CdktfFailed, CdktfRun

OUTPUT = """\
\x1b[2K\x1b[1A⠋  Synthesizing
registry  Initializing the backend...
model  Initializing the backend...

1 Stack deploying     0 Stacks done     1 Stack waiting
registry  Terraform used the selected providers to generate the following execution plan.
          \x1b[0m\x1b[1mgoogle_storage_bucket.staging: Creating...\x1b[0m
          Apply complete! Resources: 2 added, 0 changed, 0 destroyed.
model  No changes. Your infrastructure matches the configuration.
       Apply complete! Resources: 0 added, 0 changed, 0 destroyed.
"""


@pytest.fixture
def fake_cdktf(tmp_path, monkeypatch):
    """Puts a program called cdktf first on the PATH that runs get."""

    def install(body):
        program = tmp_path / "cdktf"
        program.write_text(f"#!{sys.executable}\n{body}")
        program.chmod(0o755)
        monkeypatch.setattr(
            cdktf_run, "terraform_environment", lambda: {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        )

    return install


def run_of(tmp_path, steps=None):
    return CdktfRun(
        "deploy", log=tmp_path / "log", on_step=lambda *step: (steps if steps is not None else []).append(step)
    )


def test_each_stack_s_changes_are_terraform_s_own_words(fake_cdktf, tmp_path):
    fake_cdktf(f"print({OUTPUT!r})")
    steps = []
    run = run_of(tmp_path, steps)

    run.run()

    assert {stack: result.changes for stack, result in run.results.items()} == {
        "registry": "2 added, 0 changed, 0 destroyed",
        "model": "0 added, 0 changed, 0 destroyed",
    }
    assert steps == [("registry", "creating google_storage_bucket.staging")]


def test_the_log_has_neither_escapes_nor_spinners(fake_cdktf, tmp_path):
    fake_cdktf(f"print({OUTPUT!r})")

    run_of(tmp_path).run()

    text = (tmp_path / "log").read_text()
    assert "\x1b" not in text
    assert "Synthesizing" not in text
    assert "google_storage_bucket.staging: Creating..." in text


def test_a_failure_begins_at_terraform_s_error(fake_cdktf, tmp_path):
    fake_cdktf("print('registry  fine'); print('model  Error: no quota'); print('  detail'); raise SystemExit(1)")

    with pytest.raises(CdktfFailed, match=r"^model  Error: no quota\n  detail"):
        run_of(tmp_path).run()


def test_an_interrupt_reaches_terraform_and_waits_for_it(fake_cdktf, tmp_path):
    kept = tmp_path / "kept"
    (tmp_path / "terraform").write_text(
        f"#!/bin/sh\ntrap 'sleep 0.5; echo state > {kept}; exit 1' INT\nwhile :; do sleep 0.1; done\n"
    )
    (tmp_path / "terraform").chmod(0o755)
    fake_cdktf(
        "import subprocess, signal\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        "print('registry  Creating', flush=True)\n"
        "raise SystemExit(subprocess.call(['terraform'], start_new_session=True))\n"
    )

    def interrupt():
        time.sleep(1.5)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        run_of(tmp_path).run()

    assert kept.read_text() == "state\n"
