"""`sagemaker` v2's Predictor and boto3's sagemaker-runtime, pointed at a local runtime."""

import json
import sys
import time
from pathlib import Path

import boto3
from botocore.exceptions import ClientError
from sagemaker.deserializers import JSONDeserializer
from sagemaker.predictor import Predictor
from sagemaker.serializers import JSONSerializer
from sagemaker.session import Session

url, prompt, bucket = sys.argv[1:]
options = {
    "region_name": "eu-west-1",
    "endpoint_url": url,
    "aws_access_key_id": "none",
    "aws_secret_access_key": "none",
}
runtime = boto3.client("sagemaker-runtime", **options)
session = Session(
    boto_session=boto3.Session(region_name="eu-west-1"),
    sagemaker_client=boto3.client("sagemaker", **options),
    sagemaker_runtime_client=runtime,
)
predictor = Predictor("flan", sagemaker_session=session, serializer=JSONSerializer(), deserializer=JSONDeserializer())
body = {"inputs": prompt, "parameters": {"max_new_tokens": 40}}


def invoked(value, **more):
    return runtime.invoke_endpoint(EndpointName="flan", Body=json.dumps(value), ContentType="application/json", **more)


def streamed():
    answer = runtime.invoke_endpoint_with_response_stream(
        EndpointName="flan", Body=json.dumps(body | {"stream": True}), ContentType="application/json"
    )
    raw = b"".join(event["PayloadPart"]["Bytes"] for event in answer["Body"])
    return [json.loads(event.removeprefix("data: ")) for event in raw.decode().strip().split("\n\n")]


def asynchronously():
    """As S3 would hold it: here buckets are folders."""
    (Path(bucket) / "in.json").write_text(json.dumps(body))
    told = runtime.invoke_endpoint_async(
        EndpointName="flan", InputLocation="s3://bucket/in.json", ContentType="application/json"
    )
    output = Path(bucket) / told["OutputLocation"].rsplit("/", 1)[1]
    for _ in range(200):
        if output.exists():
            return json.loads(output.read_text())
        time.sleep(0.05)
    raise TimeoutError(told["OutputLocation"])


refusal = []
try:
    invoked({"input": prompt})
except ClientError as error:
    refusal = [error.response["Error"]["Code"], error.response["OriginalStatusCode"], error.response["OriginalMessage"]]
events = streamed()
lines = runtime.invoke_endpoint(
    EndpointName="flan",
    Body="".join(json.dumps(one) + "\n" for one in (body, body)),
    ContentType="application/jsonlines",
    Accept="application/jsonlines",
)

print(
    json.dumps(
        {
            "predictor": predictor.predict(body),
            "csv": invoked(body, Accept="text/csv")["Body"].read().decode(),
            "lines": len(lines["Body"].read().decode().splitlines()),
            "pieces": "".join(event["token"]["text"] for event in events),
            "streamed": events[-1]["generated_text"],
            "async": asynchronously(),
            "refusal": refusal,
        }
    )
)
