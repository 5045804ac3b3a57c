"""Cloud Monitoring v3, as far as it tells of online prediction: `projects.timeSeries.list`."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request

from localcloud.cloud import LocalCloud
from localcloud.errors import invalid
from localcloud.monitoring import filters
from localcloud.monitoring.series import METRICS, SAMPLE_S, Window, series_of
from localcloud.store import Document
from localcloud.wire import page

MIN_PERIOD_S = 60.0  # Cloud Monitoring refuses a shorter alignment
# By name and by number: clients in gRPC's JSON send enums as integers.
_UNALIGNED, _ALIGNERS = ("", "ALIGN_NONE", "0"), ("ALIGN_SUM", "14", "ALIGN_DELTA", "1")
_UNREDUCED, _REDUCERS = ("", "REDUCE_NONE", "0"), ("REDUCE_SUM", "4")


def router(cloud: LocalCloud) -> APIRouter:
    routes = APIRouter()

    @routes.get("/v3/projects/{project}/timeSeries")
    def list_(project: str, request: Request) -> Document:
        query = request.query_params
        wanted, window = filters.parse(query.get("filter", "")), _window(request)
        held = cloud.projects.id(project)
        predictions = [
            one
            # A sample that is within the window may hold what ended up to one of its lengths before it.
            for one in cloud.predictions.between(window.start - (0 if window.period_s else SAMPLE_S), window.end)
            if one.endpoint.split("/")[1] == held
        ]
        found = [
            series
            for metric in METRICS
            if wanted.may_want(metric.type)
            for series in series_of(metric, predictions, window, projects=cloud.projects, wanted=wanted.wants)
        ]
        if query.get("view") in ("HEADERS", "1"):
            found = [{key: value for key, value in series.items() if key != "points"} for series in found]
        return page(found, key="timeSeries", size=query.get("pageSize"), token=query.get("pageToken"))

    return routes


def _window(request: Request) -> Window:
    query = request.query_params
    end = _time(query.get("interval.endTime"), "interval.endTime")
    start = _time(query.get("interval.startTime"), "interval.startTime")
    if start >= end:
        raise invalid("interval.startTime must be before interval.endTime: these metrics are DELTA.")
    aligner = query.get("aggregation.perSeriesAligner", "")
    reducer = query.get("aggregation.crossSeriesReducer", "")
    keys = [filters.label_path(path) for path in query.getlist("aggregation.groupByFields")]
    if aligner not in (*_UNALIGNED, *_ALIGNERS) or reducer not in (*_UNREDUCED, *_REDUCERS):
        raise invalid(
            f"This server has the aligners ALIGN_NONE, ALIGN_SUM and ALIGN_DELTA and the reducers REDUCE_NONE and "
            f"REDUCE_SUM, got {aligner or 'none'} and {reducer or 'none'}."
        )
    if aligner in _UNALIGNED:
        if reducer not in _UNREDUCED:
            raise invalid("crossSeriesReducer needs a perSeriesAligner other than ALIGN_NONE.")
        return Window(start, end)
    period_s = _seconds(query.get("aggregation.alignmentPeriod", ""))
    return Window(start, end, period_s, None if reducer in _UNREDUCED else keys)


def _time(text: str | None, name: str) -> float:
    try:
        return datetime.fromisoformat(text or "").timestamp()
    except ValueError as error:
        raise invalid(f"{name} must be a time as 2026-11-21T08:00:00Z, got {text!r}.") from error


def _seconds(text: str) -> float:
    try:
        period_s = float(text.removesuffix("s")) if text.endswith("s") else 0.0
    except ValueError:
        period_s = 0.0
    if period_s < MIN_PERIOD_S:
        raise invalid(f"aggregation.alignmentPeriod must be at least 60s, got {text!r}.")
    return period_s
