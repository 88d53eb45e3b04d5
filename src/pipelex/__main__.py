"""Run the command line with `python -m pipelex`, where the script `pipelex` is not on the path."""

from pipelex.cli.start import main

main()
