"""`tritonclient.http`: health, metadata, texts and fastertransformer's token tensors, as bytes and as JSON."""

import json
import sys

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

host, model, prompt, ids = sys.argv[1:]
client = http.InferenceServerClient(host)
ids = json.loads(ids)


def tensor(name, values, datatype, *, binary):
    made = http.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, binary_data=binary)
    return made


def texts(*, binary):
    inputs = [tensor("text_input", np.array([prompt.encode()], dtype=object), "BYTES", binary=binary)]
    outputs = [http.InferRequestedOutput("text_output", binary_data=binary)]
    answer = client.infer(model, inputs, outputs=outputs, parameters={"max_tokens": 40}, request_id="7")
    (text,) = answer.as_numpy("text_output").tolist()
    return text.decode() if isinstance(text, bytes) else text


def tokens(*, binary):
    columns = {"sequence_length": len(ids), "max_output_len": 40, "runtime_top_k": 1}
    inputs = [tensor("input_ids", np.array([ids], dtype=np.uint32), "UINT32", binary=binary)]
    inputs += [
        tensor(name, np.array([[one]], dtype=np.uint32), "UINT32", binary=binary) for name, one in columns.items()
    ]
    answer = client.infer("fastertransformer", inputs)
    output, length = answer.as_numpy("output_ids"), answer.as_numpy("sequence_length")
    return output[0][0][: length[0][0]].tolist()


refusal = ""
try:
    client.infer("other", [tensor("x", np.array([1], dtype=np.int32), "INT32", binary=True)])
except InferenceServerException as error:
    refusal = f"{error.status()}: {error.message()}"

print(
    json.dumps(
        {
            "live": client.is_server_live(),
            "ready": client.is_server_ready() and client.is_model_ready(model),
            "extensions": client.get_server_metadata()["extensions"],
            "inputs": [one["name"] for one in client.get_model_metadata("fastertransformer")["inputs"]][:2],
            "config": client.get_model_config(model)["name"],
            "index": [one["name"] for one in client.get_model_repository_index()],
            "texts": [texts(binary=True), texts(binary=False)],
            "tokens": [tokens(binary=True), tokens(binary=False)],
            "refusal": refusal,
        }
    )
)
