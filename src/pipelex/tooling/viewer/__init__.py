"""The page of a run: its pipes, with inputs, outputs, prompts and costs, in one self-contained file.

`run_document` makes the data of a run's trace; `run_page` puts it into the viewer, which `web/` builds.
"""

from pipelex.tooling.viewer.document import RunFacts, name_pipes, run_document
from pipelex.tooling.viewer.page import run_page

__all__ = ["RunFacts", "name_pipes", "run_document", "run_page"]
