"""The workflow definitions, each in a module that contains nothing else.

For every run, the sandbox reloads this module and that of the definition, and the SDK inspects all members of all
definitions in the module. If they were all in one module, this would take a third of the worker's time. Modules that
definitions import are passed through the sandbox.

Definitions are named after the pipe types, so the Temporal UI and visibility queries can filter by pipe type.
"""
