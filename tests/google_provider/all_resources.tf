# Every resource type of the stand-in at once, so that one apply shows them all.
terraform {
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "6.50.0"
    }
  }
}

variable "api" {
  type = string
}

variable "changed" {
  description = "Whether everything that can be updated in place has its second value."
  type        = bool
  default     = false
}

variable "digit" {
  description = "A digit put into every name, so that every resource must be replaced."
  type        = string
  default     = ""
}

variable "image" {
  description = "An image that exists, with its digest."
  type        = string
}

variable "deletion_protection" {
  type    = bool
  default = true
}

provider "google" {
  project      = "flan"
  region       = "europe-west4"
  access_token = "local"

  artifact_registry_custom_endpoint = "${var.api}/v1/"
  cloud_build_custom_endpoint       = "${var.api}/v1/"
  cloudbuildv2_custom_endpoint      = "${var.api}/v2/"
  cloud_run_v2_custom_endpoint      = "${var.api}/v2/"
  iam_custom_endpoint               = "${var.api}/v1/"
  resource_manager_custom_endpoint  = "${var.api}/v1/"
  service_usage_custom_endpoint     = "${var.api}/v1/"
  storage_custom_endpoint           = "${var.api}/storage/v1/"
  vertex_ai_custom_endpoint         = "${var.api}/v1/"

  default_labels = {
    system = "flan"
  }
}

resource "google_project_service" "vertex" {
  service            = var.digit == "" ? "aiplatform.googleapis.com" : "run.googleapis.com"
  disable_on_destroy = false
}

resource "google_service_account" "build" {
  account_id   = "flan-build${var.digit}"
  display_name = var.changed ? "Builds images, again" : "Builds images"
}

resource "google_project_iam_custom_role" "predict" {
  role_id     = "flanPredict${var.digit}"
  title       = var.changed ? "Flan predicts" : "Flan predict"
  permissions = concat(["aiplatform.endpoints.predict"], var.changed ? ["aiplatform.endpoints.get"] : [])
}

resource "google_project_iam_member" "predict" {
  project = "flan"
  role    = google_project_iam_custom_role.predict.id
  member  = google_service_account.build.member
}

resource "google_service_account_iam_member" "acts_as" {
  service_account_id = google_service_account.build.name
  role               = "roles/iam.serviceAccountUser"
  member             = "user:ada@example.com"
}

resource "google_storage_bucket" "staging" {
  name                        = "flan-staging${var.digit}"
  location                    = "europe-west4"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = var.changed

  versioning {
    enabled = var.changed
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age        = 30
      with_state = "ANY"
    }
  }
}

resource "google_storage_bucket_iam_member" "reader" {
  bucket = google_storage_bucket.staging.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.build.member

  condition {
    title       = "source-only"
    description = "Uploaded sources, not weights"
    expression  = "resource.name.startsWith('projects/_/buckets/flan-staging/objects/source/')"
  }
}

resource "google_artifact_registry_repository" "images" {
  repository_id          = "flan-images${var.digit}"
  location               = "europe-west4"
  format                 = "DOCKER"
  description            = var.changed ? "Images of the serving system" : "Images"
  cleanup_policy_dry_run = false

  labels = {
    part = var.changed ? "registry" : "images"
  }

  docker_config {
    immutable_tags = true
  }

  cleanup_policies {
    id     = "untagged"
    action = "DELETE"
    condition {
      tag_state  = "UNTAGGED"
      older_than = var.changed ? "14d" : "7d"
    }
  }

  cleanup_policies {
    id     = "keep-newest"
    action = "KEEP"
    most_recent_versions {
      keep_count = 5
    }
  }
}

resource "google_artifact_registry_repository_iam_member" "writer" {
  repository = google_artifact_registry_repository.images.name
  location   = google_artifact_registry_repository.images.location
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}

resource "google_cloudbuildv2_connection" "github" {
  name     = "flan-github${var.digit}"
  location = "europe-west4"
  disabled = var.changed

  github_config {
    app_installation_id = 123456
    authorizer_credential {
      oauth_token_secret_version = "projects/flan/secrets/github/versions/1"
    }
  }
}

resource "google_cloudbuildv2_repository" "source" {
  name              = "flan-source"
  parent_connection = google_cloudbuildv2_connection.github.id
  remote_uri        = "https://github.com/example/flan.git"
}

resource "google_cloudbuild_trigger" "serving" {
  name            = "flan-serving"
  location        = var.digit == "" ? "europe-west4" : "europe-west1"
  description     = var.changed ? "Builds the serving image, again" : "Builds the serving image"
  service_account = google_service_account.build.id

  source_to_build {
    repository = google_cloudbuildv2_repository.source.id
    ref        = "refs/heads/main"
    repo_type  = "GITHUB"
  }

  substitutions = {
    _TAG = "latest"
  }

  build {
    images  = ["$${_IMAGE}:$${_TAG}"]
    timeout = var.changed ? "7200s" : null

    step {
      id         = "weights"
      name       = "python:3.11-slim"
      entrypoint = "python"
      args       = ["serving/weights.py", "--out", "weights"]
      env        = ["WEIGHTS=$${_WEIGHTS}"]
    }

    step {
      id       = "image"
      name     = "gcr.io/cloud-builders/docker"
      args     = ["build", "-t", "$${_IMAGE}:$${_TAG}", "-f", "serving/Dockerfile", "."]
      wait_for = ["weights"]
    }

    options {
      machine_type            = "E2_HIGHCPU_8"
      disk_size_gb            = 300
      logging                 = "CLOUD_LOGGING_ONLY"
      requested_verify_option = "VERIFIED"
    }
  }
}

resource "google_vertex_ai_endpoint" "flan" {
  name                       = "1234567${var.digit}"
  display_name               = "flan"
  description                = var.changed ? "Dialogue summaries, again" : "Dialogue summaries"
  location                   = "europe-west4"
  dedicated_endpoint_enabled = true

  labels = {
    model = "dialogue-t5-mini"
  }
}

resource "google_vertex_ai_tensorboard" "training" {
  display_name = var.changed ? "Fine-tuning, again" : "Fine-tuning"
  region       = var.digit == "" ? "europe-west4" : "us-central1"

  labels = {
    part = "training"
  }
}

resource "google_cloud_run_v2_service" "ui" {
  name                = "flan-ui${var.digit}"
  location            = "europe-west4"
  ingress             = "INGRESS_TRAFFIC_ALL"
  deletion_protection = var.deletion_protection

  template {
    service_account = google_service_account.build.email
    timeout         = "120s"

    containers {
      image = var.image

      ports {
        container_port = 7860
      }

      env {
        name  = "ENDPOINT"
        value = google_vertex_ai_endpoint.flan.id
      }

      env {
        name  = "GREETING"
        value = var.changed ? "Good day" : "Hello"
      }

      resources {
        limits = {
          cpu    = "1"
          memory = "1Gi"
        }
        cpu_idle = true
      }

      startup_probe {
        timeout_seconds = 3
        tcp_socket {
          port = 7860
        }
      }
    }

    scaling {
      min_instance_count = 0
      max_instance_count = var.changed ? 3 : 2
    }
  }
}

resource "google_cloud_run_v2_service_iam_member" "invoker" {
  name     = google_cloud_run_v2_service.ui.name
  location = google_cloud_run_v2_service.ui.location
  role     = "roles/run.invoker"
  member   = "allUsers"
}

output "ids" {
  value = {
    connection  = google_cloudbuildv2_connection.github.id
    endpoint    = google_vertex_ai_endpoint.flan.id
    images      = google_artifact_registry_repository.images.id
    reader      = google_storage_bucket_iam_member.reader.id
    repository  = google_cloudbuildv2_repository.source.id
    role        = google_project_iam_custom_role.predict.id
    service     = google_project_service.vertex.id
    account     = google_service_account.build.id
    tensorboard = google_vertex_ai_tensorboard.training.id
    trigger     = google_cloudbuild_trigger.serving.id
    ui          = google_cloud_run_v2_service.ui.id
    uri         = google_cloud_run_v2_service.ui.uri
    writer      = google_artifact_registry_repository_iam_member.writer.id
  }
}
