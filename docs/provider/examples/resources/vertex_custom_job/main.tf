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
  description = "A training image by digest, such as the `image_uri` of a `vertex_image_build`."
}

variable "bucket" {
  type        = string
  description = "Bucket that takes the trained model."
}

resource "vertex_custom_job" "fine_tuning" {
  display_name          = "flan-t5-base-samsum"
  base_output_directory = "gs://${var.bucket}/flan-t5-base-samsum"

  worker_pool_specs {
    machine_spec {
      machine_type      = "a2-highgpu-1g"
      accelerator_type  = "NVIDIA_TESLA_A100"
      accelerator_count = 1
    }

    container_spec {
      image_uri = var.image_uri

      env {
        name  = "EPOCHS"
        value = "5"
      }
    }
  }

  scheduling {
    strategy                      = "SPOT"
    timeout                       = "6h"
    restart_job_on_worker_restart = true
  }
}

output "output_uri" {
  value = vertex_custom_job.fine_tuning.output_uri
}
