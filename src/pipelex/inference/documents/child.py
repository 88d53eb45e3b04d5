"""The script of a printing process. It is started by its path, and the first line of its input is `sys.path`."""

import json
import os
import sys


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    sys.path[:] = json.loads(sys.stdin.buffer.readline())
    from pipelex.inference.documents.serve import serve

    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
