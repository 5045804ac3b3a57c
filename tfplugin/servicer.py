"""Terraform's calls, answered from a `Provider`: decode, plan by schema, call the resource, encode.

The only place that turns an exception into a diagnostic. Knows nothing of any API.
Source: Terraform's plugin protocol 6, docs/plugin-protocol/tfplugin6.proto.
"""

from __future__ import annotations

import json
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import grpc
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc

from tfplugin.data_source import DataSource
from tfplugin.planning import Path, planned_create, planned_update, replacing_paths
from tfplugin.provider import Provider
from tfplugin.resource import Context, PluginError, Problem, Resource, Stopped
from tfplugin.values import State, decode, encode, known_or_null

Diagnostics = list[pb.Diagnostic]


def attribute_path(path: Path) -> pb.AttributePath:
    step = pb.AttributePath.Step
    return pb.AttributePath(
        steps=[step(attribute_name=one) if isinstance(one, str) else step(element_key_int=one) for one in path]
    )


def diagnostic(problem: Problem) -> pb.Diagnostic:
    severity = pb.Diagnostic.WARNING if problem.is_warning else pb.Diagnostic.ERROR
    shown = pb.Diagnostic(severity=severity, summary=problem.summary, detail=problem.detail)
    if problem.path:
        shown.attribute.CopyFrom(attribute_path(problem.path))
    return shown


def guarded(work: Callable[[Context], Any], context: Context) -> tuple[Any, State | None, Diagnostics]:
    """Runs one call. Returns its result, the state an error carried, and the diagnostics.

    The outermost frame of every call: an exception of ours becomes its message, any other one a
    message with the place it came from, and Terraform goes on.
    """
    result, kept, failed = None, None, None
    try:
        result = work(context)
    except PluginError as error:
        kept, failed = error.state, Problem(error.summary, error.detail, error.path)
    except Stopped:
        failed = Problem("Stopped", "Terraform asked the provider to stop. What was begun goes on; apply again.")
    except Exception as error:  # noqa: BLE001
        traceback.print_exc(file=sys.stderr)
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
        failed = Problem(f"{type(error).__name__}: {error}", f"An error nobody foresaw, at {where}. Please report it.")
    diagnostics = [diagnostic(problem) for problem in context.problems]
    if failed is not None:
        diagnostics.append(diagnostic(failed))
    return result, kept, diagnostics


class ProviderServicer(rpc.ProviderServicer):  # type: ignore[misc]  # generated without types
    """One provider's gRPC face. stop: set once Terraform asks to stop."""

    def __init__(self, provider: Provider) -> None:
        self.stop = threading.Event()
        self._provider = provider
        self._resources: dict[str, Resource] = {one.type_name: one for one in provider.resources()}
        self._data_sources: dict[str, DataSource] = {one.type_name: one for one in provider.data_sources()}

    def _context(self) -> Context:
        return Context(stop=self.stop)

    def GetMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:
        kinds = [pb.GetMetadata.ResourceMetadata(type_name=name) for name in self._resources]
        sources = [pb.GetMetadata.DataSourceMetadata(type_name=name) for name in self._data_sources]
        return pb.GetMetadata.Response(server_capabilities=_capabilities(), resources=kinds, data_sources=sources)

    def GetProviderSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        return pb.GetProviderSchema.Response(
            provider=self._provider.schema.to_pb(),
            resource_schemas={name: one.schema.to_pb() for name, one in self._resources.items()},
            data_source_schemas={name: one.schema.to_pb() for name, one in self._data_sources.items()},
            server_capabilities=_capabilities(),
        )

    def ValidateProviderConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        config = decode(request.config)
        problems, _, diagnostics = guarded(lambda _: self._provider.validate(config), self._context())
        return pb.ValidateProviderConfig.Response(diagnostics=diagnostics + _all(problems))

    def ConfigureProvider(self, request: Any, context: grpc.ServicerContext) -> Any:
        config = decode(request.config)
        _, _, diagnostics = guarded(lambda _: self._provider.configure(config), self._context())
        return pb.ConfigureProvider.Response(diagnostics=diagnostics)

    def ValidateResourceConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource, config = self._resources[request.type_name], decode(request.config)
        problems, _, diagnostics = guarded(lambda _: resource.validate(config), self._context())
        return pb.ValidateResourceConfig.Response(diagnostics=diagnostics + _all(problems))

    def UpgradeResourceState(self, request: Any, context: grpc.ServicerContext) -> Any:
        """States of an older version keep what the schema still has; new attributes start as null."""
        state = json.loads(request.raw_state.json)
        body = self._resources[request.type_name].schema.body
        known = body.empty()
        return pb.UpgradeResourceState.Response(
            upgraded_state=encode({name: state.get(name, empty) for name, empty in known.items()})
        )

    def ReadResource(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource, state = self._resources[request.type_name], decode(request.current_state)
        read, _, diagnostics = guarded(lambda call: resource.read(call, state), self._context())
        failed = any(one.severity == pb.Diagnostic.ERROR for one in diagnostics)
        return pb.ReadResource.Response(new_state=encode(state if failed else read), diagnostics=diagnostics)

    def PlanResourceChange(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = self._resources[request.type_name]
        prior, proposed, config = map(decode, (request.prior_state, request.proposed_new_state, request.config))
        if proposed is None:  # a planned destroy: nothing to refine
            return pb.PlanResourceChange.Response(planned_state=encode(None))
        body = resource.schema.body

        def plan(call: Context) -> State:
            if prior is None:
                return resource.plan(call, None, planned_create(body, proposed), config)
            return resource.plan(call, prior, planned_update(body, proposed, prior, config), config)

        planned, _, diagnostics = guarded(plan, self._context())
        if planned is None:
            return pb.PlanResourceChange.Response(planned_state=encode(proposed), diagnostics=diagnostics)
        paths: list[Path] = [] if prior is None else replacing_paths(body, prior, planned)
        return pb.PlanResourceChange.Response(
            planned_state=encode(planned),
            requires_replace=[attribute_path(path) for path in paths],
            diagnostics=diagnostics,
        )

    def ApplyResourceChange(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = self._resources[request.type_name]
        prior, planned = decode(request.prior_state), decode(request.planned_state)

        def apply(call: Context) -> State | None:
            if planned is None:
                resource.delete(call, prior)
                return None
            return resource.create(call, planned) if prior is None else resource.update(call, prior, planned)

        result, kept, diagnostics = guarded(apply, self._context())
        failed = any(one.severity == pb.Diagnostic.ERROR for one in diagnostics)
        # After a failure: what the error kept, else what there was before (nothing, for a create).
        state = (kept if kept is not None else prior) if failed else result
        return pb.ApplyResourceChange.Response(new_state=encode(known_or_null(state)), diagnostics=diagnostics)

    def ImportResourceState(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = self._resources[request.type_name]
        state, _, diagnostics = guarded(lambda call: resource.import_(call, request.id), self._context())
        imported = []
        if state is not None:
            filled = resource.schema.body.empty() | state
            imported = [
                pb.ImportResourceState.ImportedResource(type_name=request.type_name, state=encode(filled)),
            ]
        return pb.ImportResourceState.Response(imported_resources=imported, diagnostics=diagnostics)

    def ValidateDataResourceConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        source, config = self._data_sources[request.type_name], decode(request.config)
        problems, _, diagnostics = guarded(lambda _: source.validate(config), self._context())
        return pb.ValidateDataResourceConfig.Response(diagnostics=diagnostics + _all(problems))

    def ReadDataSource(self, request: Any, context: grpc.ServicerContext) -> Any:
        source = self._data_sources[request.type_name]
        config = known_or_null(planned_create(source.schema.body, decode(request.config)))
        state, _, diagnostics = guarded(lambda call: source.read(call, config), self._context())
        return pb.ReadDataSource.Response(state=encode(known_or_null(state)), diagnostics=diagnostics)

    def MoveResourceState(self, request: Any, context: grpc.ServicerContext) -> Any:
        problem = Problem(
            "A resource cannot be moved here from another type", "Remove it from the state and import it."
        )
        return pb.MoveResourceState.Response(diagnostics=[diagnostic(problem)])

    def GetFunctions(self, request: Any, context: grpc.ServicerContext) -> Any:
        return pb.GetFunctions.Response()

    def StopProvider(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.stop.set()
        return pb.StopProvider.Response()


def _capabilities() -> pb.ServerCapabilities:
    return pb.ServerCapabilities(plan_destroy=True, get_provider_schema_optional=True)


def _all(problems: Sequence[Problem] | None) -> Diagnostics:
    return [diagnostic(problem) for problem in problems or ()]
