"""Schemathesis with the Open Inference Protocol's own OpenAPI document, which MLServer's package carries."""

import json
import subprocess
import sys
from pathlib import Path

from tests.clients.conftest import MODEL, environment, folder_of_packages

CHECKS = "not_a_server_error,response_schema_conformance,content_type_conformance"
# Streams of tensors are no part of this server; the schema of a stream's answer describes one event of it.
LEFT_OUT = ("infer_stream", "generate_stream")


def conformance(url, folder):
    """The finished process."""
    packages = folder_of_packages(environment("mlserver").parent.parent)
    published = packages / "mlserver" / "rest" / "openapi" / "dataplane.json"
    document = json.loads(_mended(published.read_text()))
    document["paths"] = {path: told for path, told in document["paths"].items() if not path.endswith(LEFT_OUT)}
    for told in document["paths"].values():
        _name_the_model(told)
    (folder / "dataplane.json").write_text(json.dumps(document))
    command = [Path(sys.executable).parent / "schemathesis", "run", "dataplane.json", "--url", url]
    command += ["--checks", CHECKS, "--max-examples", "15", "--seed", "7"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


def _mended(document):
    """JSON schema has neither of these types; the document means text by both."""
    return document.replace('"type": "bytes"', '"type": "string"').replace('"type": "str"', '"type": "string"')


def _name_the_model(told):
    """So that more than unknown models is tried."""
    methods = [one for one in told.values() if isinstance(one, dict)]
    for parameters in (told.get("parameters", []), *(one.get("parameters", []) for one in methods)):
        for parameter in parameters:
            if parameter.get("name") == "model_name":
                parameter["schema"] = {"type": "string", "enum": [MODEL, "fastertransformer"]}
            if parameter.get("name") == "model_version":
                parameter["schema"] = {"type": "string", "enum": ["1"]}
