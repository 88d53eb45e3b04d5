"""The script of a printing process: it is started by its path, and told where modules are found in its first line."""

import json
import os
import sys


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries may print as they like
    sys.path[:] = json.loads(sys.stdin.buffer.readline())
    from pipelex.inference.documents.serve import serve

    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
