"""Test support for methods: a model with scripted answers, runs without a network, and durable runs in tests.

```python
from pipelex.testing import ScriptedModel, scripted

model = ScriptedModel(pipes={"plan_meal": {"name": "Soup", "ingredients": ["leeks"]}})
with scripted(model) as app:
    result = app.load("kitchen.mthds").run_sync({"occasion": "a birthday"})
model.assert_asked(1, pipe="plan_meal", containing="a birthday")
```

Names are loaded when they are first used. See `docs/testing.md`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelex.testing._durable import durable
    from pipelex.testing._network import NetworkRefused, no_network
    from pipelex.testing._runtimes import dry, scripted
    from pipelex.testing._script import Answer, Asked, Failure, Refusal, Reply, ScriptedModel, in_order

__all__ = [
    "Answer",
    "Asked",
    "Failure",
    "NetworkRefused",
    "Refusal",
    "Reply",
    "ScriptedModel",
    "dry",
    "durable",
    "in_order",
    "no_network",
    "scripted",
]

_HOMES = {
    "Answer": "_script",
    "Asked": "_script",
    "Failure": "_script",
    "NetworkRefused": "_network",
    "Refusal": "_script",
    "Reply": "_script",
    "ScriptedModel": "_script",
    "dry": "_runtimes",
    "durable": "_durable",
    "in_order": "_script",
    "no_network": "_network",
    "scripted": "_runtimes",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pipelex.testing' has no attribute {name!r}")
    return getattr(import_module(f"pipelex.testing.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
