"""Runs a provider for Terraform: handshake, TLS, an orderly stop, and no life after Terraform's.

Terraform starts the plugin with PLUGIN_* variables, reads one line from its standard output, and
speaks gRPC over a Unix socket. Keys live for one run and in memory only. A stop request (Ctrl-C) only sets
a flag: calls in flight heed it and return what they know; the server ends when Terraform says so,
or when Terraform is gone.
Source: hashicorp/go-plugin, docs/internals.md and server.go.
"""

from __future__ import annotations

import base64
import os
import signal
import sys
import tempfile
import threading
from concurrent import futures
from typing import Any, NoReturn

import grpc
from tf.gen import grpc_controller_pb2 as controller_pb
from tf.gen import grpc_controller_pb2_grpc as controller_rpc
from tf.gen import grpc_stdio_pb2_grpc as stdio_rpc
from tf.gen import tfplugin_pb2_grpc as rpc

from tfplugin.certificate import pem, self_signed
from tfplugin.provider import Provider
from tfplugin.servicer import ProviderServicer

MAGIC_COOKIE = ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2")
MAX_CALLS = 16
MAX_MESSAGE_BYTES = 256 << 20
PARENT_CHECK_S = 0.5
DRAIN_S = 5.0


class NotStartedByTerraform(Exception):
    """A person started the plugin by hand; the message says what to do instead."""


class _Controller(controller_rpc.GRPCControllerServicer):  # type: ignore[misc]  # generated without types
    """Terraform's goodbye."""

    def __init__(self, ended: threading.Event) -> None:
        self._ended = ended

    def Shutdown(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  gRPC's name
        self._ended.set()
        return controller_pb.Empty()


class _Stdio(stdio_rpc.GRPCStdioServicer):  # type: ignore[misc]  # generated without types
    """go-plugin asks for a stream of our output; ours goes to stderr, which Terraform logs."""

    def __init__(self, ended: threading.Event) -> None:
        self._ended = ended

    def StreamStdio(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  gRPC's name
        while not self._ended.wait(0.2) and context.is_active():
            pass
        return iter(())


def serve(provider: Provider) -> NoReturn:
    """Serves until Terraform says goodbye or dies, then ends the process: with 1 when a call had not ended.

    NotStartedByTerraform when nobody's plugin host started it.
    """
    if os.environ.get(MAGIC_COOKIE[0]) != MAGIC_COOKIE[1]:
        raise NotStartedByTerraform(
            "This program is a Terraform plugin: Terraform starts it. Install it into a mirror with "
            "`install --mirror DIR`, and name it in `required_providers`."
        )
    parent = os.getppid()
    ended = threading.Event()
    servicer = ProviderServicer(provider)
    size = [("grpc.max_receive_message_length", MAX_MESSAGE_BYTES), ("grpc.max_send_message_length", MAX_MESSAGE_BYTES)]
    server = grpc.server(futures.ThreadPoolExecutor(MAX_CALLS), options=size)
    rpc.add_ProviderServicer_to_server(servicer, server)
    controller_rpc.add_GRPCControllerServicer_to_server(_Controller(ended), server)
    stdio_rpc.add_GRPCStdioServicer_to_server(_Stdio(ended), server)
    certificate, credentials = _credentials()
    with tempfile.TemporaryDirectory(prefix="tfplugin-") as folder:
        socket = f"{folder}/plugin.sock"
        server.add_secure_port(f"unix://{socket}", credentials)
        server.start()
        _heed_signals(ended)
        line = ["1", "6", "unix", socket, "grpc", base64.b64encode(certificate).decode().rstrip("=")]
        sys.stdout.write("|".join(line) + "\n")
        sys.stdout.flush()
        _wait(ended, parent)
        servicer.stop.set()  # nobody is left to hear of a call that still waits
        left = server.stop(DRAIN_S)
        drained = left.wait(DRAIN_S)
    # At once: Terraform waits for the end, taking the interpreter down takes 25 ms, and a call that hangs in a socket
    # would keep the process for minutes.
    sys.stderr.flush()
    os._exit(0 if drained else 1)


def _wait(ended: threading.Event, parent: int) -> None:
    """Returns when Terraform said goodbye or is gone."""
    while not ended.wait(PARENT_CHECK_S):
        if os.getppid() != parent:
            ended.set()


def _heed_signals(ended: threading.Event) -> None:
    """SIGTERM ends the server in order; Ctrl-C in a terminal is Terraform's to tell us of."""
    if threading.current_thread() is not threading.main_thread():
        return
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _credentials() -> tuple[bytes, grpc.ServerCredentials]:
    """A certificate for this run (DER), and the server credentials that prove it."""
    key, certificate = self_signed()
    # Terraform's own certificate (PLUGIN_CLIENT_CERT) is on curve P-521, which gRPC's BoringSSL does not verify, so
    # it is not asked for: what keeps others out is the socket's folder, open to this user only.
    return certificate, grpc.ssl_server_credentials([(key, pem(certificate))])
