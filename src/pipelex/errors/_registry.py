"""The MTHDS core error registry, version 8.0.0: what each code means for the person or program that meets it.

Source: the standard's registry table (code, HTTP status, domain, retry, next step, parameters).
"""

from dataclasses import dataclass
from typing import Literal

Domain = Literal["input", "method", "account", "operator", "runtime"]
"""The party that must act."""

Retry = Literal["no", "yes", "outcome_unknown"]
"""Whether the same request may be sent again."""

NextStep = Literal[
    "retry",
    "wait",
    "read_run",
    "refresh",
    "change_input",
    "change_method",
    "change_model",
    "check_credentials",
    "request_access",
    "check_account",
    "fix_configuration",
    "upgrade",
    "contact_owner",
    "report",
]


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """The facts that the registry fixes for one code."""

    status: int
    """The HTTP status; 0 for a code that is only ever a warning."""
    domain: Domain
    retry: Retry
    next_step: NextStep
    params: tuple[str, ...] = ()
    """Names of the typed facts an error with this code carries."""


CORE_CODES: dict[str, CodeFacts] = {
    "request.malformed": CodeFacts(422, "input", "no", "change_input", ("reason",)),
    "request.invalid": CodeFacts(422, "input", "no", "change_input", ("field",)),
    "request.too_large": CodeFacts(413, "input", "no", "change_input", ("limit", "size")),
    "request.not_found": CodeFacts(404, "input", "no", "upgrade", ()),
    "request.method_not_allowed": CodeFacts(405, "input", "no", "upgrade", ()),
    "request.unsupported": CodeFacts(422, "input", "no", "change_input", ("field", "reason")),
    "request.idempotency_conflict": CodeFacts(409, "input", "no", "change_input", ()),
    "request.idempotency_key_in_use": CodeFacts(409, "runtime", "yes", "wait", ()),
    "request.already_executed": CodeFacts(409, "input", "no", "read_run", ()),
    "request.pipe_not_found": CodeFacts(422, "input", "no", "change_input", ("pipe", "suggestions")),
    "request.pipe_ambiguous": CodeFacts(422, "input", "no", "change_input", ("pipe", "candidates")),
    "request.pipe_unspecified": CodeFacts(422, "input", "no", "change_input", ("candidates",)),
    "request.blobs_missing": CodeFacts(422, "input", "no", "change_input", ("missing_blobs",)),
    "auth.missing_credential": CodeFacts(401, "account", "no", "check_credentials", ()),
    "auth.invalid_credential": CodeFacts(401, "account", "no", "check_credentials", ()),
    "auth.credential_expired": CodeFacts(401, "account", "no", "refresh", ()),
    "auth.forbidden": CodeFacts(403, "account", "no", "request_access", ("requirement",)),
    "account.rate_limited": CodeFacts(429, "account", "yes", "wait", ("limit", "window")),
    "account.quota_exhausted": CodeFacts(429, "account", "no", "check_account", ("quota",)),
    "input.missing": CodeFacts(422, "input", "no", "change_input", ("input",)),
    "input.unexpected": CodeFacts(422, "input", "no", "change_input", ("input",)),
    "input.wrong_concept": CodeFacts(422, "input", "no", "change_input", ("input", "expected", "provided")),
    "input.wrong_multiplicity": CodeFacts(
        422, "input", "no", "change_input", ("input", "expected", "expected_count", "provided_count")
    ),
    "input.invalid": CodeFacts(422, "input", "no", "change_input", ("input", "field")),
    "input.file_unreadable": CodeFacts(422, "input", "no", "change_input", ("input", "file_type", "reason")),
    "input.file_type_unsupported": CodeFacts(422, "input", "no", "change_input", ("input", "format", "model")),
    "input.too_large": CodeFacts(422, "input", "no", "change_input", ("input", "limit", "size")),
    "input.reference_not_found": CodeFacts(422, "input", "no", "change_input", ("input",)),
    "input.url_unreachable": CodeFacts(422, "input", "yes", "retry", ("input", "host")),
    "method.invalid": CodeFacts(422, "method", "no", "change_method", ()),
    "method.syntax": CodeFacts(422, "method", "no", "change_method", ("finding",)),
    "method.schema_violation": CodeFacts(422, "method", "no", "change_method", ("field_path", "finding")),
    "method.not_found": CodeFacts(404, "input", "no", "change_input", ("method_ref",)),
    "method.ambiguous": CodeFacts(422, "input", "no", "change_input", ("method_ref", "candidates")),
    "method.fetch_failed": CodeFacts(502, "runtime", "yes", "retry", ("method_ref",)),
    "method.package_invalid": CodeFacts(422, "method", "no", "change_method", ("reason", "path", "limit")),
    "method.dependency_missing": CodeFacts(422, "method", "no", "change_method", ("kind", "name", "reason")),
    "method.dependency_invalid": CodeFacts(422, "method", "no", "change_method", ("package", "finding")),
    "method.resource_missing": CodeFacts(422, "method", "no", "change_method", ("file", "reason")),
    "method.concept_unresolved": CodeFacts(422, "method", "no", "change_method", ("concept", "suggestions")),
    "method.pipe_unresolved": CodeFacts(422, "method", "no", "change_method", ("pipe", "missing", "candidates")),
    "method.pipe_not_exported": CodeFacts(422, "method", "no", "change_method", ("pipe", "package")),
    "method.ref_ambiguous": CodeFacts(422, "method", "no", "change_method", ("ref", "candidates")),
    "method.name_conflict": CodeFacts(422, "method", "no", "change_method", ("name", "conflict")),
    "method.cycle": CodeFacts(422, "method", "no", "change_method", ("kind", "cycle")),
    "method.identifier_invalid": CodeFacts(422, "method", "no", "change_method", ("identifier_kind", "name")),
    "method.pipe_type_invalid": CodeFacts(422, "method", "no", "change_method", ("pipe", "reason", "pipe_type")),
    "method.signature_mismatch": CodeFacts(422, "method", "no", "change_method", ("pipe", "finding")),
    "method.not_runnable": CodeFacts(422, "method", "no", "change_method", ("pipe",)),
    "method.input_undeclared": CodeFacts(422, "method", "no", "change_method", ("pipe", "variables")),
    "method.input_unused": CodeFacts(422, "method", "no", "change_method", ("pipe", "variables")),
    "method.input_concept_mismatch": CodeFacts(
        422, "method", "no", "change_method", ("pipe", "input", "declared", "expected")
    ),
    "method.output_concept_mismatch": CodeFacts(
        422, "method", "no", "change_method", ("pipe", "declared", "expected", "pipe_type")
    ),
    "method.output_multiplicity_mismatch": CodeFacts(
        422, "method", "no", "change_method", ("pipe", "declared", "expected")
    ),
    "method.wiring_invalid": CodeFacts(422, "method", "no", "change_method", ("pipe", "variable_path", "finding")),
    "method.field_path_unresolved": CodeFacts(
        422, "method", "no", "change_method", ("pipe", "path", "segment", "available_fields")
    ),
    "method.binding_step_invalid": CodeFacts(422, "method", "no", "change_method", ("pipe", "field_path")),
    "method.optional_marker_invalid": CodeFacts(422, "method", "no", "change_method", ("pipe", "field_path")),
    "method.optional_unhandled": CodeFacts(422, "method", "no", "change_method", ("pipe", "input", "site")),
    "method.template_invalid": CodeFacts(422, "method", "no", "change_method", ("pipe", "template", "finding")),
    "method.template_private_name": CodeFacts(422, "method", "no", "change_method", ("pipe", "variables")),
    "method.function_invalid": CodeFacts(422, "method", "no", "change_method", ("pipe", "function", "finding")),
    "method.concept_invalid": CodeFacts(422, "method", "no", "change_method", ("concept", "finding")),
    "method.model_setting_invalid": CodeFacts(422, "method", "no", "change_method", ("field", "finding")),
    "method.mock_unsatisfiable": CodeFacts(422, "method", "no", "change_method", ("concept",)),
    "method.changed_concurrently": CodeFacts(409, "runtime", "yes", "refresh", ()),
    "method.hint_invalid": CodeFacts(0, "method", "no", "change_method", ("reason", "hint")),
    "method.input_presence_vacuous": CodeFacts(0, "method", "no", "change_method", ("pipe", "input")),
    "method.optional_force_redundant": CodeFacts(0, "method", "no", "change_method", ("pipe", "input")),
    "pipe.output_multiplicity": CodeFacts(
        422, "method", "no", "change_method", ("pipe", "output", "declared", "produced")
    ),
    "pipe.output_invalid": CodeFacts(422, "method", "no", "change_method", ("pipe", "output_concept", "fields")),
    "pipe.function_raised": CodeFacts(422, "method", "no", "change_method", ("pipe", "function")),
    "pipe.function_timed_out": CodeFacts(422, "method", "no", "change_method", ("pipe", "function", "timeout")),
    "pipe.template_render_failed": CodeFacts(422, "method", "no", "change_method", ("pipe", "variable")),
    "pipe.template_budget_exceeded": CodeFacts(422, "method", "no", "change_method", ("pipe", "operation", "limit")),
    "pipe.condition_unmatched": CodeFacts(422, "method", "no", "change_method", ("pipe",)),
    "pipe.condition_refused": CodeFacts(422, "input", "no", "change_input", ("pipe", "outcome")),
    "pipe.binding_failed": CodeFacts(422, "method", "no", "change_method", ("pipe", "binding", "segment")),
    "pipe.input_unresolved": CodeFacts(422, "method", "no", "change_method", ("pipe", "variable")),
    "pipe.forced_input_absent": CodeFacts(422, "method", "no", "change_method", ("pipe", "variable")),
    "pipe.prompt_empty": CodeFacts(422, "input", "no", "change_input", ("pipe", "part")),
    "pipe.stack_overflow": CodeFacts(422, "method", "no", "change_method", ("limit",)),
    "model.unknown": CodeFacts(422, "method", "no", "change_model", ("model", "model_type", "suggestions")),
    "model.unavailable": CodeFacts(501, "operator", "no", "fix_configuration", ("model", "model_type", "reason")),
    "model.unspecified": CodeFacts(422, "method", "no", "change_model", ("model_type",)),
    "model.capability_unsupported": CodeFacts(422, "method", "no", "change_model", ("model", "capability")),
    "model.context_exceeded": CodeFacts(422, "input", "no", "change_input", ("model", "limit", "count", "max")),
    "model.output_truncated": CodeFacts(422, "method", "no", "change_method", ("model", "max_tokens", "output_tokens")),
    "model.output_schema_mismatch": CodeFacts(502, "runtime", "yes", "retry", ("model", "concept")),
    "model.content_refused": CodeFacts(422, "input", "no", "change_input", ("model",)),
    "model.no_result": CodeFacts(422, "input", "no", "change_input", ("model",)),
    "provider.rate_limited": CodeFacts(429, "runtime", "yes", "wait", ("provider", "model")),
    "provider.unavailable": CodeFacts(502, "runtime", "yes", "retry", ("provider",)),
    "provider.timeout": CodeFacts(504, "runtime", "yes", "retry", ("provider",)),
    "provider.failed": CodeFacts(502, "runtime", "yes", "retry", ("provider", "status")),
    "provider.response_invalid": CodeFacts(502, "runtime", "yes", "retry", ("provider", "defect")),
    "provider.credential_refused": CodeFacts(502, "operator", "no", "check_credentials", ("provider",)),
    "provider.quota_exhausted": CodeFacts(502, "operator", "no", "check_account", ("provider",)),
    "provider.outcome_unknown": CodeFacts(502, "runtime", "yes", "retry", ("provider", "model")),
    "run.not_found": CodeFacts(404, "input", "no", "change_input", ("pipeline_run_id",)),
    "run.failed": CodeFacts(409, "runtime", "no", "read_run", ("pipeline_run_id", "run_status")),
    "run.not_finished": CodeFacts(409, "runtime", "yes", "wait", ("pipeline_run_id",)),
    "run.cancelled": CodeFacts(409, "input", "yes", "retry", ()),
    "run.timed_out": CodeFacts(422, "method", "no", "change_method", ("timeout",)),
    "run.lost": CodeFacts(500, "runtime", "outcome_unknown", "read_run", ("pipeline_run_id",)),
    "run.outcome_unknown": CodeFacts(502, "runtime", "outcome_unknown", "read_run", ("pipeline_run_id",)),
    "run.already_ended": CodeFacts(409, "input", "no", "read_run", ("pipeline_run_id", "run_status")),
    "run.answer_not_kept": CodeFacts(409, "input", "no", "read_run", ("pipeline_run_id", "run_status")),
    "run.results_not_stored": CodeFacts(404, "input", "no", "read_run", ("pipeline_run_id",)),
    "run.terminated": CodeFacts(409, "operator", "no", "read_run", ("ended_by",)),
    "security.input_url_refused": CodeFacts(422, "input", "no", "change_input", ("input", "target_class", "reason")),
    "security.method_url_refused": CodeFacts(422, "method", "no", "change_method", ("pipe", "target_class", "reason")),
    "security.provider_url_refused": CodeFacts(502, "runtime", "no", "report", ("provider",)),
    "security.input_path_refused": CodeFacts(422, "input", "no", "change_input", ("rule",)),
    "security.method_path_refused": CodeFacts(422, "method", "no", "change_method", ("pipe", "file")),
    "security.template_refused": CodeFacts(422, "method", "no", "change_method", ("pipe", "name")),
    "security.schema_refused": CodeFacts(422, "method", "no", "change_method", ("concept",)),
    "security.integrity_mismatch": CodeFacts(422, "method", "no", "change_method", ("dependency",)),
    "runtime.unexpected": CodeFacts(500, "runtime", "no", "report", ()),
    "runtime.misconfigured": CodeFacts(500, "operator", "no", "fix_configuration", ("component",)),
    "runtime.unavailable": CodeFacts(503, "runtime", "yes", "retry", ("dependency",)),
    "runtime.unsupported": CodeFacts(501, "operator", "no", "fix_configuration", ("capability",)),
}
