"""The templates of documents, as text and as files of the method tree."""

from pipelex.errors import near_names
from pipelex.language.blueprints import PipeDocGenBlueprint
from pipelex.language.templates import TemplateSite, analyse_template
from pipelex.library._library import Pipe
from pipelex.library._trees.named_files import tree_path
from pipelex.library._validate._context import Checks
from pipelex.library._validate._reads import Astray, follow, written

_RESOURCE_REASONS = {
    "absolute": "it is absolute",
    "backslash": "it has a backslash; write forward slashes",
    "scheme": "it has a scheme",
    "leaves_tree": "it leaves the method's folder",
}


def check_document(checks: Checks, pipe: Pipe) -> None:
    """Check that a document's template and its file can be used (section 6.9 of the language reference)."""
    blueprint = pipe.blueprint
    assert isinstance(blueprint, PipeDocGenBlueprint)
    for site in blueprint.sites:
        _check_paths(checks, pipe, site)
    if blueprint.template_file is not None:
        _check_template_file(checks, pipe, blueprint.template_file)


# --- document templates -----------------------------------------------------------------------------------------------


def _check_template_file(checks: Checks, pipe: Pipe, name: str) -> None:
    reason = _why_refused(name)
    if reason is not None:
        _refuse_file(checks, pipe, name, reason, _RESOURCE_REASONS[reason])
        return
    tree = checks.tree(pipe)
    if tree is None:
        return
    path = tree_path(tree, checks.source(pipe).bundle.path or "", name)
    if path is None:
        _refuse_file(checks, pipe, name, "leaves_tree", _RESOURCE_REASONS["leaves_tree"])
    elif tree.find(path) is None:
        _refuse_file(checks, pipe, name, "not_in_tree", "there is no such file in the method's folder")
    elif name.endswith(".html"):
        text = (tree.read(path) or b"").decode("utf-8", "replace")
        _check_html_file(checks, pipe, TemplateSite(("template_file",), text, "html"))


def _why_refused(name: str) -> str | None:
    if "\\" in name:
        return "backslash"
    if ":" in name:
        return "scheme"
    return "absolute" if name.startswith("/") else None


def _refuse_file(checks: Checks, pipe: Pipe, name: str, reason: str, why: str) -> None:
    checks.report(
        pipe,
        "method.resource_missing",
        f"the template file '{name}' of '{checks.label(pipe)}' cannot be used: {why}",
        "template_file",
        category="resource_missing",
        file=name,
        reason=reason,
    )


def _check_html_file(checks: Checks, pipe: Pipe, site: TemplateSite) -> None:
    analysis = analyse_template(site.template, category=site.category, sigils=True, declared=tuple(pipe.inputs))
    for fault in analysis.faults:
        line = site.template.count("\n", 0, fault.offset) + 1
        checks.report(
            pipe,
            "method.template_invalid",
            f"the template file of '{checks.label(pipe)}', line {line}: {fault.message}",
            "template_file",
            category="template_invalid",
            suggestions=fault.suggestions,
            template="template_file",
            finding=fault.message,
        )
    for root in dict.fromkeys(read.root for read in analysis.reads if read.root not in pipe.inputs):
        near = near_names(root, pipe.inputs)
        checks.report(
            pipe,
            "method.input_undeclared",
            f"the template file of '{checks.label(pipe)}' reads '{root}', which is not an input of the pipe",
            "template_file",
            category="missing_input_variable",
            suggestions=near,
            variables=[root],
        )
    _check_paths(checks, pipe, site)


def _check_paths(checks: Checks, pipe: Pipe, site: TemplateSite) -> None:
    """Every path that a document's template reads must exist."""
    analysis = analyse_template(
        site.template, category=site.category, sigils=site.has_sigils, declared=tuple(pipe.inputs)
    )
    for read in analysis.reads:
        slot = pipe.inputs.get(read.root)
        if slot is None:
            continue
        found = follow(checks.library.shape(slot.concept), read.trail, is_list=slot.is_list)
        if not isinstance(found, Astray):
            continue
        checks.report(
            pipe,
            "method.field_path_unresolved",
            f"'{'.'.join(read.path)}' in the template of '{checks.label(pipe)}' leads nowhere:"
            f" {found.said(written(read.trail[: found.index]))}",
            *site.keys,
            category="binding_path_unresolved",
            suggestions=() if found.instead is None else (found.instead,),
            offset=read.offset if site.keys != ("template_file",) else None,
            path=".".join(read.path),
            segment=read.trail[found.index],
            available_fields=list(found.available),
        )
