"""`google-cloud-aiplatform`: the SDK's Endpoint and the generated client, over REST."""

import json
import sys

from google.api_core.exceptions import GoogleAPICallError
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform
from google.cloud.aiplatform_v1.services.prediction_service import PredictionServiceClient

url, name, prompt = sys.argv[1:]
project, location = name.split("/")[1], name.split("/")[3]
aiplatform.init(
    project=project,
    location=location,
    api_endpoint=url,
    api_transport="rest",
    credentials=AnonymousCredentials(),
)
answer = aiplatform.Endpoint(name).predict(instances=[prompt, {"inputs": prompt}], parameters={"max_new_tokens": 40})
generated = PredictionServiceClient(
    credentials=AnonymousCredentials(), transport="rest", client_options={"api_endpoint": url}
).predict(endpoint=name, instances=[{"prompt": prompt, "max_new_tokens": 2}])
refusal = ""
try:
    aiplatform.Endpoint(name).predict(instances=[prompt], parameters={"top_k": -1})
except GoogleAPICallError as error:
    refusal = f"{type(error).__name__}: {error}"

print(
    json.dumps(
        {
            "predictions": answer.predictions,
            "metadata": answer.metadata,
            "generated": list(generated.predictions),
            "refusal": refusal,
        }
    )
)
