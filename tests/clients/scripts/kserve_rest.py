"""`kserve`'s InferenceRESTClient: readiness, and texts as JSON and as bytes."""

import asyncio
import json
import sys

import httpx
from kserve import InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig

url, model, prompt = sys.argv[1:]


async def main():
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:

        async def infer(name, *, binary):
            text = InferInput("text_input", [1], "BYTES", data=None if binary else [prompt])
            if binary:
                import numpy as np

                text.set_data_from_numpy(np.array([prompt.encode()], dtype=object), binary_data=True)
            request = InferRequest(model_name=name, infer_inputs=[text], parameters={"max_tokens": 40}, request_id="7")
            answer = await client.infer(url, request, model_name=name)
            return next(one for one in answer.outputs if one.name == "text_output").data

        refusal = ""
        try:
            await infer("other", binary=False)
        except httpx.HTTPStatusError as error:
            refusal = str(error)
        return {
            "live": await client.is_server_live(url),
            "ready": await client.is_server_ready(url),
            "model_ready": await client.is_model_ready(url, model),
            "json": await infer(model, binary=False),
            "bytes": await infer(model, binary=True),
            "refusal": refusal,
        }


print(json.dumps(asyncio.run(main())))
