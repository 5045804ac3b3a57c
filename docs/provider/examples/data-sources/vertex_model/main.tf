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

data "vertex_model" "live" {
  display_name = "Flan-T5"
  labels       = { team = "ml" }
  alias        = "live"
}

output "version_name" {
  value = data.vertex_model.live.version_name
}
