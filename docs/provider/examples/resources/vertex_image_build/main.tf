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

variable "trigger" {
  type        = string
  description = "A Cloud Build trigger with an inline build that makes and lists `$_IMAGE:$_TAG`."
}

variable "source_bucket" {
  type = string
}

resource "vertex_image_build" "serving" {
  image          = "${var.region}-docker.pkg.dev/${var.project}/models/flan"
  content_hash   = filesha256("${path.module}/source.tar.gz")
  trigger        = var.trigger
  source_archive = "source.tar.gz"
  source_bucket  = var.source_bucket

  timeouts {
    create = "90m"
  }
}

output "image_uri" {
  value = vertex_image_build.serving.image_uri
}
