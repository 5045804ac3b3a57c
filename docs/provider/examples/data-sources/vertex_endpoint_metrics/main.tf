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
  description = "An endpoint, as `projects/P/locations/L/endpoints/E`."
}

data "vertex_endpoint_metrics" "last_hour" {
  endpoint = var.endpoint
  window   = "1h"
  offset   = "4m" # Cloud Monitoring has all figures of what ended so long ago
}

# A gate: what depends on this output goes on only while the endpoint does well.
output "does_well" {
  value = data.vertex_endpoint_metrics.last_hour.error_rate <= 0.01

  precondition {
    condition     = data.vertex_endpoint_metrics.last_hour.error_rate <= 0.01
    error_message = "More than 1 % of the last hour's predictions failed."
  }
}
