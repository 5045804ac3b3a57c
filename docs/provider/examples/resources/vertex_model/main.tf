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

variable "image_uri" {
  type        = string
  description = "A serving image by digest, such as the `image_uri` of a `vertex_image_build`."
}

resource "vertex_model" "flan" {
  model_id        = "flan-t5"
  display_name    = "Flan-T5"
  labels          = { team = "ml" }
  version_aliases = ["live"]

  container_spec {
    image_uri          = var.image_uri
    ports              = [7080]
    predict_route      = "/predict"
    health_route       = "/health"
    deployment_timeout = "7200s"

    env {
      name  = "MAX_NEW_TOKENS"
      value = "256"
    }

    startup_probe {
      period_seconds    = 10
      failure_threshold = 120
      http_get {
        path = "/health"
      }
    }
  }
}

output "version_name" {
  value = vertex_model.flan.version_name
}
