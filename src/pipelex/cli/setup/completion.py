"""`pipelex completion`."""

from typing import Annotated, Final, Literal

import typer

from pipelex.cli._shared.console import out
from pipelex.cli._shared.group import command_app

_EXAMPLES = """\b
Examples:
  pipelex completion bash >> ~/.bashrc
  pipelex completion zsh >> ~/.zshrc
  pipelex completion fish > ~/.config/fish/completions/pipelex.fish"""

SCRIPTS: Final = {
    "bash": """\
_pipelex_completion() {
    local IFS=$'\\n'
    COMPREPLY=( $(_PIPELEX_COMPLETE=1 pipelex "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) )
}
complete -o default -F _pipelex_completion pipelex""",
    "zsh": """\
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_pipelex() {
    local -a found
    found=("${(@f)$(_PIPELEX_COMPLETE=1 pipelex "${(@)words[2,$CURRENT]}" 2>/dev/null)}")
    if [[ -n "$found" ]]; then compadd -a found; else _files; fi
}
compdef _pipelex pipelex""",
    "fish": """\
function __pipelex_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    env _PIPELEX_COMPLETE=1 pipelex $words[2..-1] "$current" 2>/dev/null
end
complete -c pipelex -a '(__pipelex_complete)'""",
}

app = command_app()


@app.command(epilog=_EXAMPLES)
def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print the shell code that completes commands, options, pipes, run ids and profiles."""
    out(SCRIPTS[shell])
