#!/bin/sh
# This whole deployment on one machine, until Ctrl-C. Options: see ../local.py --help.
here=$(CDPATH= cd "$(dirname "$0")" && pwd)
exec "${PYTHON:-python3}" "$here/../local.py" "$here" "$@"
