"""The command line as `python -m pipelex`, for when the script `pipelex` is not on the path."""

from pipelex.cli.start import main

main()
