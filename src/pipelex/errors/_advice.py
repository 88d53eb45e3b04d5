"""Default advice for each code of the registry, used where the raiser of the error knows nothing more fitting."""

from collections.abc import Mapping
from typing import Any, Final, cast

_VALIDATE: Final = "Change the method there; `pipelex validate` checks it again."
_INPUTS: Final = "`pipelex build inputs TARGET` writes inputs to start from."

_ADVICE: Final[Mapping[str, tuple[str, ...]]] = {
    "request.malformed": (f"Write the request as JSON or TOML. {_INPUTS}",),
    "request.invalid": ("`--help` lists what the command takes.",),
    "request.too_large": ("Send {limit} at most.", "Send less."),
    "request.not_found": ("Check the address, and that server and client are of the same release.",),
    "request.method_not_allowed": ("Check that server and client are of the same release.",),
    "request.unsupported": ("Leave out '{field}'.", "Leave out the unsupported part."),
    "request.idempotency_conflict": ("Choose another run id, or send the same request that it was first used with.",),
    "request.idempotency_key_in_use": ("Wait until the first request is answered.",),
    "request.already_executed": ("`pipelex runs result ID` prints the run's result.",),
    "request.pipe_not_found": ("`pipelex show pipe --all` lists the pipes of a folder.",),
    "request.pipe_ambiguous": ("Name it with its domain: {candidates}.", "Name it with its domain."),
    "request.pipe_unspecified": ("Name one of these with --pipe: {candidates}.", "Name a pipe with --pipe."),
    "request.blobs_missing": ("Send these files first: {missing_blobs}.", "Send the missing files first."),
    "auth.missing_credential": ("Give an API key.",),
    "auth.invalid_credential": ("Give a valid API key.",),
    "auth.credential_expired": ("Get a new API key.",),
    "auth.forbidden": ("Ask the owner for access: {requirement}.", "Ask the owner for access."),
    "account.rate_limited": ("Wait {window}, then try again.", "Wait a minute, then try again."),
    "account.quota_exhausted": ("Raise the quota of the account, or wait until it is renewed.",),
    "input.missing": (f"Give a value for '{{input}}': -i {{input}}=… . {_INPUTS}", _INPUTS),
    "input.unexpected": (
        "Leave '{input}' out, or give it the name of an input that the pipe declares.",
        "Leave it out.",
    ),
    "input.wrong_concept": ("Give a value of the concept {expected} for '{input}'.", _INPUTS),
    "input.wrong_multiplicity": ("Give '{input}' as many values as the message says. " + _INPUTS, _INPUTS),
    "input.invalid": ("Change the value of '{input}'. " + _INPUTS, _INPUTS),
    "input.file_unreadable": (
        "Check that the file of '{input}' is whole: open it with another program.",
        "Check that the file is whole: open it with another program.",
    ),
    "input.file_type_unsupported": (
        "Give '{input}' another file, of a type that it takes.",
        "Give another file, of a type that it takes.",
    ),
    "input.too_large": ("Give less for '{input}': {limit} at most.", "Give less: {limit} at most.", "Give less."),
    "input.reference_not_found": ("Check the path or address; relative paths start at the folder of the inputs file.",),
    "input.url_unreachable": ("Check the address and the network, then run it again.",),
    "method.invalid": ("Change the places named above; `pipelex validate` checks it again.",),
    "method.not_found": ("Name a bundle file (*.mthds), a folder that holds some, or the code of a pipe.",),
    "method.ambiguous": ("Name one of these: {candidates}.", "Name the folder of the method."),
    "method.fetch_failed": ("Check the network, then try again.",),
    "method.dependency_missing": ("Add '{name}' to the dependencies in METHODS.toml.", "Add it to METHODS.toml."),
    "method.resource_missing": ("Put '{file}' beside the bundle, or name another file.", _VALIDATE),
    "method.pipe_not_exported": ("Export '{pipe}' in METHODS.toml of its package, or call another pipe.", _VALIDATE),
    "method.not_runnable": ("Write the pipe '{pipe}': it is only declared.", "Write the pipes that are only declared."),
    "method.changed_concurrently": ("Load the method again: its files changed meanwhile.",),
    "pipe.output_multiplicity": ("Let the pipe give {declared}, or change the declared output.", _VALIDATE),
    "pipe.output_invalid": (
        "Let the pipe fill these fields as '{output_concept}' declares them: {fields}.",
        "Let the pipe give a '{output_concept}' with every declared field.",
        _VALIDATE,
    ),
    "pipe.function_raised": (
        "Correct the function '{function}'; --debug shows where it raised.",
        "Correct the function.",
    ),
    "pipe.function_timed_out": (
        "Make '{function}' faster, or give it more than {timeout}.",
        "Make the function faster.",
    ),
    "pipe.template_render_failed": (
        "Change the template of '{pipe}'; `pipelex validate` renders it on made-up values.",
        _VALIDATE,
    ),
    "pipe.template_budget_exceeded": ("Do less in one template: split it over several pipes.",),
    "pipe.condition_unmatched": (
        "Add the outcome to '{pipe}', or give it a 'default_outcome'.",
        "Give the condition a 'default_outcome'.",
    ),
    "pipe.condition_refused": ("Change the inputs: '{pipe}' refuses the outcome '{outcome}'.", "Change the inputs."),
    "pipe.binding_failed": (
        "Check that an earlier step leaves '{binding}' with the field '{segment}'.",
        "Check the names that the steps pass on.",
    ),
    "pipe.input_unresolved": (
        "Check that an earlier step or the inputs leave a value named '{variable}'.",
        "Check the names that the steps pass on.",
    ),
    "pipe.forced_input_absent": (
        "Give '{variable}' a value, or declare it as optional with '?'.",
        "Give it a value, or declare it as optional with '?'.",
    ),
    "pipe.prompt_empty": (
        "Give a value that is not empty: the prompt of '{pipe}' came out empty.",
        "Give a value that is not empty.",
    ),
    "pipe.stack_overflow": (
        "End the recursion: the pipes call each other more than {limit} deep.",
        "End the recursion: the pipes call each other without end.",
    ),
    "model.unknown": ("`pipelex models --all` lists the models that can be named.",),
    "model.unavailable": ("`pipelex doctor` says what is missing; `pipelex models` lists what can be called.",),
    "model.unspecified": ("Name a model in the pipe, or set a default in .pipelex/inference/deck.",),
    "model.capability_unsupported": (
        "Name a model that takes {capability}; `pipelex models` lists them.",
        "Name another model; `pipelex models` lists them.",
    ),
    "model.context_exceeded": (
        "Shorten the inputs, or name a model with a longer context than {max} tokens.",
        "Shorten the inputs, or name a model with a longer context.",
    ),
    "model.output_truncated": ("Raise 'max_tokens' above {max_tokens}, or ask for less.", "Raise 'max_tokens'."),
    "model.output_schema_mismatch": ("Run it again, or name a stronger model.",),
    "model.content_refused": ("Change the inputs or the prompt: the model refuses this content.",),
    "model.no_result": ("Change the question: nothing was found for it.",),
    "provider.rate_limited": ("Wait a minute, or lower the concurrency.",),
    "provider.unavailable": ("Wait a minute, then run it again.",),
    "provider.timeout": (
        "Run it again; where it repeats, raise the time-out of '{provider}' or ask for less.",
        "Run it again; where it repeats, ask for less.",
    ),
    "provider.failed": ("Run it again; where it repeats, see the status page of '{provider}'.", "Run it again."),
    "provider.response_invalid": (
        "Run it again; where it repeats, check 'endpoint' of [{provider}] in backends.toml.",
        "Run it again.",
    ),
    "provider.credential_refused": ("Check the key of [{provider}] in backends.toml.", "Check the API key."),
    "provider.quota_exhausted": ("Check the credit of the account at '{provider}'.", "Check the account's credit."),
    "provider.outcome_unknown": ("Run it again; '{provider}' may have done it once already.", "Run it again."),
    "run.not_found": ("`pipelex runs list` lists the runs that are known.",),
    "run.failed": ("`pipelex runs show {pipeline_run_id}` shows where it failed.", "`pipelex runs show` shows where."),
    "run.not_finished": ("`pipelex runs watch {pipeline_run_id}` waits for its end.", "Wait for its end."),
    "run.cancelled": ("Start it again.",),
    "run.timed_out": ("Give it more time than {timeout}, or less to do.", "Give it more time, or less to do."),
    "run.lost": (
        "`pipelex runs show {pipeline_run_id}` shows everything known about it.",
        "Look for it with `runs list`.",
    ),
    "run.outcome_unknown": ("Look whether it runs, with `pipelex runs list`, before you start it again.",),
    "run.already_ended": (
        "`pipelex runs show {pipeline_run_id}` shows how it ended.",
        "`pipelex runs show` shows how.",
    ),
    "run.answer_not_kept": ("`pipelex runs show {pipeline_run_id}` shows the rest of the run.", "Start it again."),
    "run.results_not_stored": ("Start it again: its results were not kept.",),
    "run.terminated": ("Ask who ended it, then start it again.",),
    "security.input_url_refused": ("Give an address outside your own network, or the file itself.",),
    "security.method_url_refused": ("Let the method name an address outside your own network.",),
    "security.provider_url_refused": ("Report this to the provider: its answer points into your own network.",),
    "security.input_path_refused": ("Give a file below the folder of the inputs file.",),
    "security.method_path_refused": ("Put '{file}' into the folder of the method.", "Keep to the method's folder."),
    "security.template_refused": ("Leave '{name}' out of the template: it is not open to templates.", _VALIDATE),
    "security.schema_refused": ("Make the structure of '{concept}' smaller.", _VALIDATE),
    "security.integrity_mismatch": (
        "Do not use '{dependency}' until its owner says why it changed.",
        "Do not use it until its owner says why it changed.",
    ),
    "runtime.unexpected": ("Report this with the message above; --debug shows where it happened.",),
    "runtime.misconfigured": ("`pipelex doctor` checks the configuration.",),
    "runtime.unavailable": ("Wait a minute, then try again; `pipelex doctor` checks everything that runs need.",),
    "runtime.unsupported": ("Run the method with a configuration that has it; see `pipelex config show`.",),
}


def advice_for(code: str, params: Mapping[str, Any]) -> str:
    """One or two sentences on what to do, with the names that the error knows.

    Args:
        code: a code of the registry.
        params: the facts that the error knows, by the registry's names.
    """
    known = {name: text for name, value in params.items() if (text := _text(value))}
    for template in _ADVICE.get(code, (_VALIDATE,) if code.startswith("method.") else ()):
        try:
            return template.format_map(known)
        except KeyError:
            continue
    return "`pipelex --debug …` shows where it happened."


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, cast("list[object]", value)))
    return "" if value is None else str(value)
