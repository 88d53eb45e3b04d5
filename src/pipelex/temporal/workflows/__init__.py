"""The workflow definitions, one per module and nothing else in it.

The sandbox loads the module of a definition, and this one, anew for every run, and the SDK looks at every member of every
definition in it: all of them in one module would take a third of the worker's time. What definitions need is passed
through. Their names are the pipe types' names, so that the Temporal UI and visibility queries can filter on them.
"""
