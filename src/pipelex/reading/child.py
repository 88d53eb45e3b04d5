"""The script of a reading process, which is started by its path and reads the module search path as its first line."""

import json
import os
import sys


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print goes to standard error
    sys.path[:] = json.loads(sys.stdin.buffer.readline())
    from pipelex.reading.serve import serve

    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
