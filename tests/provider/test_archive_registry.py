"""The provider published as docs/provider/publishing.md says, and installed by real Terraform from that registry.

The registry is a static HTTPS server on loopback, with a certificate and a signing key that live for one test.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from provider.plugin import RELEASE
from tfplugin.archive import Contents, package
from tfplugin.install import platform_name

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("gpg") is None, reason="there is no gpg on this machine to sign with"),
]

ROOT = Path(__file__).resolve().parents[2]
NAME = f"terraform-provider-vertex_{RELEASE.version}"
ARCHIVE, SUMS = f"{NAME}_{platform_name()}.zip", f"{NAME}_SHA256SUMS"
MINOR = sys.version_info[1]
BASE = "/v1/providers/flanstack/vertex"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """The environment of a gpg with one RSA key, as the registry wants it."""
    # gpg's agent listens on a socket in this folder, and a socket's path must be short.
    home = tmp_path_factory.mktemp("g")
    home.chmod(0o700)
    environment = {**os.environ, "GNUPGHOME": str(home)}
    make = ["gpg", "--batch", "--passphrase", "", "--quick-generate-key", "Flan <flan@example.com>", "rsa3072", "sign"]
    subprocess.run(make, env=environment, check=True, capture_output=True)
    yield environment
    subprocess.run(["gpgconf", "--kill", "all"], env=environment, check=True)


@pytest.fixture(scope="module")
def dist(tmp_path_factory, keys):
    """The archive for this machine's Python, signed with the page's own commands."""
    out = tmp_path_factory.mktemp("project") / "dist"
    contents = Contents(ROOT, ("provider", "tfplugin"), ROOT / "provider" / "requirements.lock")
    package(RELEASE, contents, out, platform=platform_name(), pythons={}, minors=[MINOR])
    (commands,) = [
        block
        for block in re.findall(r"^```sh\n(.*?)^```$", (ROOT / "docs/provider/publishing.md").read_text(), re.M | re.S)
        if "gpg" in block
    ]
    subprocess.run(["sh", "-ec", commands], cwd=out.parent, env=keys, check=True, capture_output=True)
    return out


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost, and a server's TLS settings with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    pem = serialization.Encoding.PEM
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(pem) + plain)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return path, context


@pytest.fixture
def registry(dist, keys, certificate):
    """The server's host, and what it answers by path; a test may change that."""
    answers = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answer = answers.get(self.path)
            self.send_response(200 if answer is not None else 404)
            self.send_header("Content-Type", "application/json" if answer and answer[:1] == b"{" else "application/zip")
            self.send_header("Content-Length", str(len(answer or b"")))
            self.end_headers()
            self.wfile.write(answer or b"")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = certificate[1].wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    host = f"localhost:{server.server_port}"
    answers.update(static_files(dist, keys, f"https://{host}"))
    yield host, answers
    server.shutdown()
    thread.join()
    server.server_close()


def static_files(dist, keys, url):
    """A registry of one version, as the page's table has it."""
    system, machine = platform_name().split("_")
    shown = subprocess.run(
        ["gpg", "--list-keys", "--with-colons"], env=keys, check=True, capture_output=True, text=True
    )
    key_id = next(line.split(":")[4] for line in shown.stdout.splitlines() if line.startswith("pub"))
    armor = subprocess.run(["gpg", "--armor", "--export"], env=keys, check=True, capture_output=True, text=True).stdout
    shasum = next(line.split()[0] for line in (dist / SUMS).read_text().splitlines() if line.endswith(ARCHIVE))
    platform = {"os": system, "arch": machine}
    protocols = json.loads((dist / f"{NAME}_manifest.json").read_text())["metadata"]["protocol_versions"]
    download = {
        **platform,
        "protocols": protocols,
        "filename": ARCHIVE,
        "shasum": shasum,
        "download_url": f"{url}/{ARCHIVE}",
        "shasums_url": f"{url}/{SUMS}",
        "shasums_signature_url": f"{url}/{SUMS}.sig",
        "signing_keys": {"gpg_public_keys": [{"key_id": key_id, "ascii_armor": armor}]},
    }
    versions = [{"version": RELEASE.version, "protocols": protocols, "platforms": [platform]}]
    documents = {
        "/.well-known/terraform.json": {"providers.v1": "/v1/providers/"},
        f"{BASE}/versions": {"versions": versions},
        f"{BASE}/{RELEASE.version}/download/{system}/{machine}": download,
    }
    files = {f"/{path.name}": path.read_bytes() for path in dist.iterdir()}
    return files | {path: json.dumps(document).encode() for path, document in documents.items()}


@pytest.fixture
def terraform(registry, certificate, tmp_path):
    """Runs Terraform in an empty folder whose configuration names the registry's provider."""
    kept = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CHECKPOINT_DISABLE": "1"}
    environment = {**kept, "SSL_CERT_FILE": str(certificate[0])}
    required = {"vertex": {"source": f"{registry[0]}/flanstack/vertex", "version": RELEASE.version}}
    (tmp_path / "main.tf.json").write_text(json.dumps({"terraform": {"required_providers": required}}))

    def run(*arguments):
        command = ["terraform", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run


def test_terraform_installs_the_signed_archive_from_a_registry_and_uses_it(terraform):
    done = terraform("init", "-no-color")
    assert done.returncode == 0, done.stderr
    assert "self-signed, key ID" in done.stdout  # signed by a key that is not one of HashiCorp's partners

    schema = json.loads(terraform("providers", "schema", "-json").stdout)["provider_schemas"]
    (provider,) = schema.values()
    assert "vertex_endpoint_deployed_model" in provider["resource_schemas"]


def test_an_archive_that_was_changed_after_signing_is_refused(registry, terraform):
    _, answers = registry
    answers[f"/{ARCHIVE}"] += b"more"

    done = terraform("init", "-no-color")
    assert done.returncode == 1
    assert "checksum" in done.stderr
