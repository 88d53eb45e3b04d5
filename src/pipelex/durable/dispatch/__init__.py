"""Decides how activities are scheduled: the table of options, the settings for them, and their resolution."""

from pipelex.durable.dispatch.dispatcher import Dispatcher, ModelResolver
from pipelex.durable.dispatch.options import HEARTBEAT, OPTIONS, DispatchOption, hopeless_error_types
from pipelex.durable.dispatch.routing import Dispatch, Routing, resolve_dispatch, trace_line
from pipelex.durable.dispatch.settings import ActivityRoutes, DispatchBaseline, DispatchOverlay, QueueOptions

__all__ = [
    "HEARTBEAT",
    "OPTIONS",
    "ActivityRoutes",
    "Dispatch",
    "DispatchBaseline",
    "DispatchOption",
    "DispatchOverlay",
    "Dispatcher",
    "ModelResolver",
    "QueueOptions",
    "Routing",
    "hopeless_error_types",
    "resolve_dispatch",
    "trace_line",
]
