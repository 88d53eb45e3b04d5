"""The library: links and validates bundles, and makes the crates that travel between processes.

```python
loaded = load_library([Path("berths.mthds")])
loaded.verdict.require_valid()
pipe = loaded.library.pipe(loaded.pipe_ref("plan_day"))
crate = loaded.library.closure(pipe.ref)
```
"""

from pipelex.library._crate import LibraryCrate, MethodFile
from pipelex.library._focus import focused, ready_pipes
from pipelex.library._library import ANYTHING, DYNAMIC, Concept, Library, LinkedLibraries, Pipe, linked_libraries
from pipelex.library._link import Declaration, LinkedBundles, dotted, link
from pipelex.library._load import LoadedFiles, load_files, load_paths, missing_target
from pipelex.library._method import LoadedLibrary, load_library, load_library_files
from pipelex.library._names import PackageBundles
from pipelex.library._paths import PathFault, walk_path
from pipelex.library._trees.other_files import check_is_bundle
from pipelex.library._trees.tree import MethodTree, TreeRules, walk_tree
from pipelex.library._validate import CheckModel, ModelUse, model_uses, validate
from pipelex.library._verdict import Verdict

__all__ = [
    "ANYTHING",
    "DYNAMIC",
    "CheckModel",
    "Concept",
    "Declaration",
    "Library",
    "LibraryCrate",
    "LinkedBundles",
    "LinkedLibraries",
    "LoadedFiles",
    "LoadedLibrary",
    "MethodFile",
    "MethodTree",
    "ModelUse",
    "PackageBundles",
    "PathFault",
    "Pipe",
    "TreeRules",
    "Verdict",
    "check_is_bundle",
    "dotted",
    "focused",
    "link",
    "linked_libraries",
    "load_files",
    "load_library",
    "load_library_files",
    "load_paths",
    "missing_target",
    "model_uses",
    "ready_pipes",
    "validate",
    "walk_path",
    "walk_tree",
]
