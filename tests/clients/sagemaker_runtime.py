"""SageMaker's runtime API in front of one container on loopback: what boto3 and the SDK talk to.

Buckets of asynchronous inference are folders. Knows no model.
Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Operations_Amazon_SageMaker_Runtime.html
"""

import json
import re
import struct
import threading
import uuid
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

PATH = re.compile(r"/endpoints/[^/]+/(invocations|invocations-response-stream|async-invocations)")
HANDED_ON = ("content-type", "accept", "x-amzn-sagemaker-target-model")


class SageMakerRuntime:
    """One endpoint, whatever its name; `bucket` is the folder of s3://bucket."""

    def __init__(self, container_url, bucket):
        handler = type("Bound", (_Handler,), {"container_url": container_url, "bucket": bucket})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        found = PATH.fullmatch(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if found is None:
            return self._send(404, b"{}", {})
        if found[1] == "async-invocations":
            return self._accept()
        return self._stream(body) if found[1].endswith("stream") else self._invoke(body)

    def _ask(self, body, headers):
        kept = {name: headers[name] for name in HANDED_ON if headers.get(name)}
        return httpx.post(f"{self.container_url}/invocations", content=body, headers=kept, timeout=60)

    def _invoke(self, body):
        answer = self._ask(body, self.headers)
        if answer.status_code != 200:
            return self._model_error(answer)
        return self._send(200, answer.content, {"content-type": answer.headers["content-type"]})

    def _model_error(self, answer):
        told = {
            "ErrorCode": "ModelError",
            "Message": f"Received client error ({answer.status_code}) from primary with message {answer.text!r}",
            "OriginalMessage": answer.text,
            "OriginalStatusCode": answer.status_code,
        }
        headers = {"content-type": "application/json", "x-amzn-errortype": "ModelError"}
        return self._send(424, json.dumps(told).encode(), headers)

    def _stream(self, body):
        kept = {name: self.headers[name] for name in HANDED_ON if self.headers.get(name)}
        url = f"{self.container_url}/invocations"
        with httpx.stream("POST", url, content=body, headers=kept, timeout=60) as answer:
            self.send_response(200)
            self.send_header("content-type", "application/vnd.amazon.eventstream")
            self.send_header("x-amzn-sagemaker-content-type", answer.headers["content-type"])
            self.send_header("connection", "close")
            self.end_headers()
            for piece in answer.iter_raw():
                self.wfile.write(_event("PayloadPart", piece))
        self.close_connection = True

    def _accept(self):
        """Answers 202 at once, and writes the output when it is there."""
        name = self.headers["x-amzn-sagemaker-inputlocation"].rsplit("/", 1)[1]
        identifier = uuid.uuid4().hex
        raw, headers = (self.bucket / name).read_bytes(), dict(self.headers.items())
        headers = {key.lower(): value for key, value in headers.items()}

        def work():
            answer = self._ask(raw, headers)
            unfinished = self.bucket / f"{identifier}.part"
            unfinished.write_bytes(answer.content)
            unfinished.rename(self.bucket / f"{identifier}.out")

        threading.Thread(target=work, daemon=True).start()
        location = {"x-amzn-sagemaker-outputlocation": f"s3://bucket/{identifier}.out"}
        return self._send(202, json.dumps({"InferenceId": identifier}).encode(), location)

    def _send(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def _event(kind, payload):
    """One message of AWS's event stream encoding: lengths, headers, payload, and a checksum over each part."""
    told = {":message-type": "event", ":event-type": kind, ":content-type": "application/octet-stream"}
    headers = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        for name, value in told.items()
    )
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack("!I", zlib.crc32(message))
