"""Print the lowest version of a dependency that pyproject.toml allows, as a requirement: `temporalio==1.29`."""

import re
import sys
import tomllib
from itertools import chain
from pathlib import Path

project = tomllib.loads(Path(__file__).parent.parent.joinpath("pyproject.toml").read_text(encoding="utf-8"))["project"]
wanted = sys.argv[1]
for requirement in chain(project["dependencies"], *project["optional-dependencies"].values()):
    found = re.match(rf"{re.escape(wanted)}(?:\[[^]]*\])?>=([\w.]+)", requirement)
    if found:
        print(f"{wanted}=={found[1]}")
        break
else:
    sys.exit(f"pyproject.toml has no lower bound for {wanted}")
