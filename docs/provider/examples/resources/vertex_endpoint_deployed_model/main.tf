terraform {
  required_providers {
    vertex = {
      source  = "flanstack.local/flanstack/vertex"
      version = "0.1.0"
    }
  }
}

provider "vertex" {
  project = var.project
  region  = var.region
}

variable "project" {
  type = string
}

variable "region" {
  type    = string
  default = "europe-west4"
}

variable "endpoint" {
  type        = string
  description = "`projects/P/locations/L/endpoints/E`, such as the `id` of a `google_vertex_ai_endpoint`."
}

variable "model" {
  type        = string
  description = "`projects/P/locations/L/models/M@VERSION`, such as the `version_name` of a `vertex_model`."
}

resource "vertex_endpoint_deployed_model" "flan" {
  endpoint        = var.endpoint
  model           = var.model
  traffic_percent = 100

  dedicated_resources {
    min_replica_count = 1
    max_replica_count = 2

    machine_spec {
      machine_type      = "a2-highgpu-1g"
      accelerator_type  = "NVIDIA_TESLA_A100"
      accelerator_count = 1
    }

    autoscaling_metric_specs {
      metric_name = "aiplatform.googleapis.com/prediction/online/accelerator/duty_cycle"
      target      = 60
    }
  }

  timeouts {
    create = "90m"
    delete = "20m"
  }
}

output "predict_url" {
  value = vertex_endpoint_deployed_model.flan.predict_url
}
