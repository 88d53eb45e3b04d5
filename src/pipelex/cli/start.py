"""The start of the `pipelex` command: it handles Ctrl-C before it loads anything else."""

from pipelex.cli.early import end_at_once_on_interrupt


def main() -> None:
    """Run the command line, and end the process."""
    end_at_once_on_interrupt()
    from pipelex.cli.main import main as command

    command()
