"""Vertex AI as one service of the local cloud: its parts put together, its operations registered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from localcloud.cloud import LocalCloud
from localcloud.vertex import endpoint_routes, model_routes, tensorboard_routes
from localcloud.vertex.deployments import Deployments
from localcloud.vertex.endpoint_service import EndpointService
from localcloud.vertex.endpoints import Endpoints
from localcloud.vertex.jobs import routes as job_routes
from localcloud.vertex.jobs.batch_prediction_jobs import BatchPredictionJobs
from localcloud.vertex.jobs.batch_prediction_runs import BatchPredictionRuns
from localcloud.vertex.jobs.custom_job_runs import CustomJobRuns
from localcloud.vertex.jobs.custom_jobs import CustomJobs
from localcloud.vertex.model_service import ModelService
from localcloud.vertex.models import Models
from localcloud.vertex.prediction import Predictions
from localcloud.vertex.prediction_routes import PredictionRoutes
from localcloud.vertex.replicas import Replicas
from localcloud.vertex.tensorboards import Tensorboards

PREFIXES = ("/v1", "/v1beta1")


def router(cloud: LocalCloud) -> APIRouter:
    models, endpoints = Models(cloud.store, cloud.projects), Endpoints(cloud)
    replicas = Replicas(cloud, models)
    predictions = Predictions(cloud, models, endpoints, replicas)
    deployments = Deployments(cloud, models, endpoints, replicas)

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        yield
        await predictions.close()

    routes = APIRouter(lifespan=lifespan)
    for prefix in PREFIXES:
        model_routes.add_routes(routes, ModelService(cloud, models, endpoints), prefix)
        PredictionRoutes(cloud, predictions).add(routes, prefix)
        endpoint_routes.add_routes(routes, EndpointService(cloud, endpoints), deployments, prefix)
    for prefix in (*PREFIXES, "/ui"):
        job_routes.add_routes(routes, CustomJobs(cloud), prefix)
        job_routes.add_routes(routes, BatchPredictionJobs(cloud, models), prefix)
        tensorboard_routes.add_routes(routes, Tensorboards(cloud), prefix)
    return routes


def register(cloud: LocalCloud) -> None:
    models, endpoints = Models(cloud.store, cloud.projects), Endpoints(cloud)
    deployments = Deployments(cloud, models, endpoints, Replicas(cloud, models))
    tensorboards, jobs, batch_jobs = Tensorboards(cloud), CustomJobs(cloud), BatchPredictionJobs(cloud, models)
    model_service, endpoint_service = ModelService(cloud, models, endpoints), EndpointService(cloud, endpoints)
    for work, handler in {
        "uploadModel": model_service.run_upload,
        "deleteModel": model_service.run_delete,
        "createEndpoint": endpoint_service.run_create,
        "updateEndpoint": endpoint_service.run_update,
        "deleteEndpoint": endpoint_service.run_delete,
        "deployModel": deployments.run_deploy,
        "undeployModel": deployments.run_undeploy,
        "mutateDeployedModel": deployments.run_mutate,
        CustomJobs.noun: CustomJobRuns(cloud).run,
        jobs.delete_work: jobs.run_delete,
        BatchPredictionJobs.noun: BatchPredictionRuns(cloud, models).run,
        batch_jobs.delete_work: batch_jobs.run_delete,
        "createTensorboard": tensorboards.run_create,
        "updateTensorboard": tensorboards.run_patch,
        "deleteTensorboard": tensorboards.run_delete,
    }.items():
        cloud.operations.register(work, handler)
    cloud.starters.append(deployments.start_all)
