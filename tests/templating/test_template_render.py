import json

import pytest

from pipelex.content import Json, Stuff
from pipelex.errors import PipelexError
from pipelex.templating import Attachments, Rendered, ShapeTable, Style, TagStyle, render
from tests.support.template_values import Concepts, values

VALUES = values()


def rendered(template: str, category: str = "llm_prompt", **options: object) -> Rendered:
    return render(template, VALUES, concepts=Concepts(), category=category, **options)  # type: ignore[arg-type]


def text(template: str, category: str = "llm_prompt", **options: object) -> str:
    return rendered(template, category, **options).text


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("$seed", "SEED"),
        ("{{ seed }} {{ seed.text }}", "SEED SEED"),
        ("@seed", "<seed>\nSEED\n</seed>"),
        ("a\r\n@seed\r\nb", "a\n<seed>\nSEED\n</seed>\nb"),
        ("@?missing", ""),
        ("@?seed", "<seed>\nSEED\n</seed>"),
        ("$count $half", "3 0.5"),
        ("$yes $no", "yes no"),
        ("$day", "2024-01-15 10:30"),
        ("{{ day.date }} {{ day.date.year }} {{ day.time.minute }}", "2024-01-15 2024 30"),
        ("{{ berth.opened.strftime('%d/%m/%Y') }}", "15/01/2024"),
        ("{{ berth.opened < '2025' }}", "True"),
        ("{{ markup }}", "<b>x</b>"),
        ("$berth.code at $berth.depth.", "B4 at 9.5."),
        ("{{ berth.tags }}", "1. a\n2. b"),
        ("{{ berth.tags|join(', ') }}", "a, b"),
        ("$notes", "1. b\n2. a"),
        ("{% for n in notes %}{{ loop.index }}/{{ loop.length }}{{ n.text }} {% endfor %}", "1/2b 2/2a "),
        ("{{ notes|length }} {{ notes.items|length }} {{ notes[1] }} {{ notes[5] }}", "2 2 a "),
        ("{{ notes|sort|join }} {{ notes|first }} {{ notes|last }} {{ notes|reverse|join }}", "ab b a ab"),
        ("{{ notes|map(attribute='text')|map('upper')|join('-') }}", "B-A"),
        ("{{ berths|selectattr('depth')|map(attribute='code')|join }}", "B4"),
        ("{{ 'yes' if none else 'empty' }} {{ 'yes' if no else 'absent' }}", "empty yes"),
        ("{{ seed == 'SEED' }} {{ seed != 'X' }} {{ count > 2 }} {{ count == 3 }} {{ yes == true }}", "True True True True True"),
        ("{{ 'EE' in seed }} {{ seed[:2] }} {{ seed|length }} {{ seed|lower }}", "True SE 4 seed"),
        ("{{ count + 1 }} {{ count * half }} {{ -count }} {{ '%.2f' % count }}", "4 1.5 -3 3.00"),
        ("{{ seed ~ count ~ 1 }}", "SEED31"),
        ("{{ '%*d' % (5, 3) }} {{ {'1': 'x'}[1] }} {{ berth|list|length }}", "    3 x 6"),
        ("{{ [1, 2, 3]|batch(2)|list|length }} {{ (1, 2)|join('-') }}", "2 1-2"),
        ("{{ missing|list|length }} {{ missing|items|list|length }}", "0 0"),
        ("{{ day.date.weekday() }} {{ day.date.isoweekday() }}", "0 1"),
        ("{{ notes == notes }} {{ notes == [1] }} {{ notes == 3 }}", "True False False"),
        ("{{ 3 in notes }} {{ notes in [notes] }} {{ [missing] }}", "False True 1. "),
        ("{{ photo|format('json') }}", '{\n  "url": "p",\n  "caption": "A quay"\n}'),
        ("{{ seed._stuff_name }} {{ seed._concept_code }} {{ seed._content_class }}", "seed Text TextContent"),
        ("{{ note.nofield }}{{ berth.nofield.deep }}{{ missing }}", ""),
        ("{{ data.json_obj.a[1] }} {{ data.json_obj['_own'] }} {{ data['json_obj'].items }}", "2 5 7"),
        ("{% for key in data %}{{ key }} {% endfor %}", "a _own items "),
        ("{{ parts.left }} {{ parts.left.text }}", "L L"),
        ("$open", "free"),
        ("{% for key, value in berth|items if key != 'photo' %}{{ key }} {% endfor %}", "code depth opened tags plans "),
        ("{{ missing|default('x') }} {{ seed|default('x') }}", "x SEED"),
        ("{{ '{} {:>4}'.format(seed, count) }}", "SEED    3"),
        ("{% set ns = namespace(n=0) %}{% for n in notes %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}", "2"),
        ("{% macro f(x) %}<{{ x }}>{% endmacro %}{{ f(seed) }}", "<SEED>"),
        ("{{ berths|map(attribute='code')|list|tojson }}", '["B4", "B5"]'),
        ("{% for n in notes %}{{ n.text.upper() }}{{ '{}'.format(n) }}{{ dict(a=n).a }}{% endfor %}", "BbbAaa"),
        ("{% for n in notes %}{{ loop.cycle('x', 'y') }}{% endfor %}", "xy"),
        ("{% set j = joiner('|') %}{% for n in notes %}{{ j() }}{{ n }}{% endfor %}", "b|a"),
        ("{{ notes + ['c'] }}", "1. b\n2. a\n3. c"),
        ("$$5 a@@b", "$5 a@b"),
    ],
)  # fmt: skip
def test_values(template: str, expected: str) -> None:
    assert text(template) == expected


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("no_tag", "SEED"),
        ("ticks", "seed: ```\nSEED\n```"),
        ("xml", "<seed>\nSEED\n</seed>"),
        ("square_brackets", "[seed]\nSEED\n[/seed]"),
    ],
)
def test_tag_styles(style: TagStyle, expected: str) -> None:
    assert text("@seed", style=Style(style)) == expected


def test_tags_are_named_after_the_path() -> None:
    assert text("@berth.code") == "<berth.code>\nB4\n</berth.code>"
    assert text("{{ seed|tag }}{{ berth.code|tag }}{{ seed|tag('x') }}", style=Style("square_brackets")) == (
        "[seed]\nSEED\n[/seed][berth.code]\nB4\n[/berth.code][x]\nSEED\n[/x]"
    )


def test_a_tag_never_uses_the_text_format() -> None:
    style = Style("no_tag", "json")
    assert text("@seed", style=style) == "SEED"
    assert json.loads(text("$seed", style=style)) == {"text": "SEED"}
    assert text("{{ seed }}", style=style) == "SEED"


def test_format_takes_a_style() -> None:
    assert json.loads(text("{{ notes|format('json') }}")) == [{"text": "b"}, {"text": "a"}]
    assert text("{{ berth|format('markdown') }}", "basic").startswith("# code\nB4")
    with pytest.raises(PipelexError, match="'format' takes one of"):
        text("{{ seed|format('%s') }}")


def test_tagging_what_is_not_there_is_an_error() -> None:
    with pytest.raises(PipelexError) as caught:
        text("@missing")
    assert caught.value.code == "pipe.template_render_failed"
    assert caught.value.report.params == {"variable": "missing"}


LEFT_OUT = {
    "absent": {"code": "B5"},
    "null": {"code": "B5", "depth": None, "opened": None, "tags": None, "photo": None, "plans": None},
}


@pytest.mark.parametrize("form", LEFT_OUT)
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{% if b.depth is not none %}D{% else %}no depth{% endif %}", "no depth"),
        ("{{ b.depth is none }} {{ b.depth == None }} {{ none != b.depth }} {{ b.depth in [3, none] }}", "True True False True"),
        ("{{ b.depth is defined }} {{ b.depth is undefined }} {{ b.depth is sameas none }}", "False True True"),
        ("{{ b.depth is number }} {{ b.tags is iterable }} {{ b.code is string }}", "False False True"),
        ("{{ b.depth|default('unknown') }} {{ b.code|default('x') }} {{ b.depth or 'x' }}", "unknown B5 x"),
        ("[{{ b.depth }}$b.opened{{ b.photo.caption }}]", "[]"),
        ("{{ b.photo.url is none }} {{ b.opened.year is none }} {{ b.plans[0].url is none }}", "True True True"),
        ("{% for t in b.tags %}{{ t }}{% else %}none{% endfor %} {{ b.tags|length }} {{ b.tags|join }}", "none 0 "),
        ("@b.tags", "<b.tags>\n\n</b.tags>"),
        ("@?b.tags", ""),
        ("{{ [b.depth, b.code, b.photo.caption]|select|join(', ') }}", "B5"),
        ("{{ [b.depth, 3]|select|sum }} {{ b.depth|int }} {{ b.depth|upper }}", "3 0 "),
        ("{{ [b.depth]|tojson }} {{ b.depth|format('json') }}", "[null] null"),
        ("{{ bs|rejectattr('depth', 'none')|map(attribute='code')|join }}", ""),
        ("{{ b|items|map('first')|join }}", "code"),
    ],
)  # fmt: skip
def test_what_is_left_out_is_none(template: str, expected: str, strict: bool, form: str) -> None:
    given = {"b": Stuff("docks.Berth", LEFT_OUT[form]), "bs": Stuff.of_list("docks.Berth", [LEFT_OUT[form]])}
    found = render(template, given, concepts=Concepts(), category="llm_prompt", strict=strict)
    assert found.text == expected


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ b.depth > 3 }}", "'b.depth' has no value, so it cannot be compared (line 1 of the template: {{ b.depth > 3 }})"),
        ("a\n\n{% if 3 < b.depth %}", "'b.depth' has no value, so it cannot be compared (line 3"),
        ("{{ [b.depth, 3]|sort }}", "'b.depth' has no value"),
        ("{{ b.depth + 1 }}", "'b.depth' has no value"),
        ("{{ [b.depth, 3]|sum }}", "'b.depth' has no value, so 'sum' cannot add it"),
        ("{{ b.depth|round }}", "'b.depth' has no value, so 'round' cannot be used on it"),
        ("{{ '%.1f' % b.depth }}", "'b.depth' has no value, so it cannot be written as a number"),
        ("{{ '{:.1f}'.format(b.depth) }}", "'b.depth' has no value, so it cannot be written as a number"),
        ("{{ b.opened.strftime('%Y') }}", "'b.opened' has no value, so 'strftime' cannot be called"),
        ("{{ b.depth is even }}", "'b.depth' has no value, so 'even' cannot be used on it"),
        ("@b.depht", "'Berth' has no field 'depht' (did you mean 'depth'?), so it cannot be tagged"),
        ("@b.photo.where", "'Photo' has no field 'where' (its fields are url, public_url,"),
        ("@unknown", "'unknown' is not there, so it cannot be tagged"),
        ("{{ b > 3 }}", "a Berth and the number 3 have no order"),
        ("{{ b|round }}", "'round' cannot be used on a Berth"),
        ("{{ b.code > 3 }}", "'>' cannot be used between a text and a whole number"),
        ("{{ b() }}", "'a Berth': it is not something a template may call"),
        ("{{ [b, 3]|sum }}", "'sum' adds numbers, not a Berth"),
    ],
)  # fmt: skip
def test_a_fault_names_the_value_and_its_place_and_no_class(template: str, says: str) -> None:
    if "{% if" in template:
        template += "x{% endif %}"
    with pytest.raises(PipelexError) as caught:
        render(template, {"b": Stuff("docks.Berth", {"code": "B5"})}, concepts=Concepts(), category="llm_prompt")
    assert says in caught.value.report.detail
    assert caught.value.code in ("pipe.template_render_failed", "security.template_refused")


def test_values_that_cannot_be_compared_are_not_equal() -> None:
    assert (
        text("{{ berth == 3 }} {{ 3 != berth }} {{ berth == berths[0] }} {{ berth == none }}")
        == "False True True False"
    )


def test_strict_rendering_refuses_missing_names() -> None:
    for template in ("{{ missing }}", "{{ berth.nofield }}", "{% for x in missing %}{% endfor %}"):
        with pytest.raises(PipelexError):
            text(template, strict=True)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ tagged }} {{ markup }}", "a &lt; b &amp; c <b>x</b>"),
        ("{{ tagged|safe }}", "a < b & c"),
        ("$tagged", "a &lt; b &amp; c"),
        ("@tagged", "<tagged>\na &lt; b &amp; c\n</tagged>"),
        ("{{ source|markdown }}", "<p><em>x</em></p>"),
        ("{{ '</script>'|escape_script_tag }}", "\\u003C/script>"),
        ("{{ markup ~ tagged }}", "<b>x</b>a &lt; b &amp; c"),
        ("{{ photo|format('html') }}", '<img src="p" alt="A quay">'),
        ("{{ '<i>' }}<i>{% set x %}<u>{{ tagged }}{% endset %}{{ x }}", "&lt;i&gt;<i><u>a &lt; b &amp; c"),
    ],
)
def test_html(template: str, expected: str) -> None:
    assert text(template, "html") == expected


@pytest.mark.parametrize(
    ("category", "name", "exists"),
    [
        (category, name, name in names)
        for category, names in {
            "basic": ["tag"],
            "expression": [],
            "html": ["tag", "escape_script_tag", "markdown"],
            "markdown": ["tag", "escape_script_tag"],
            "mermaid": [],
            "llm_prompt": ["tag", "with_images"],
            "img_gen_prompt": ["tag", "with_images"],
        }.items()
        for name in ("tag", "escape_script_tag", "markdown", "with_images", "random")
    ],
)
def test_filters_of_each_category(category: str, name: str, exists: bool) -> None:
    template = f"{{{{ seed|{name} }}}}"
    if exists:
        assert "SEED" in text(template, category)
    else:
        with pytest.raises(PipelexError) as caught:
            text(template, category)
        assert caught.value.code == "method.template_invalid"


def test_expressions() -> None:
    assert text("{{ 'high' if count > 2 else 'low' }}", "expression", sigils=False) == "high"
    assert text("{{ '%s!'|format(seed) }}", "expression", sigils=False) == "SEED!"
    assert text("$seed", "expression", sigils=False) == "$seed"


COMPOSITE: Json = {
    "ups": {"items": [{"text": "a"}, {"text": "b"}]},
    "copies": {"items": [{"name": "N"}]},
    "inner": {"again": {"items": [1]}, "empty": {"items": []}},
    "note": {"text": "T"},
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{% for u in combo.ups %}<{{ u.text }}>{% endfor %}", "<a><b>"),
        ("{{ combo.ups|length }} {{ combo.copies[0].name }} {{ combo['ups'][1].text }} {{ combo.ups[-1].text }}", "2 N b b"),
        ("{{ combo.ups|map(attribute='text')|join('-') }} {{ combo.ups|first }}", "a-b a"),
        ("{{ combo.ups.items|length }} {{ combo.inner.again[0] }} {{ combo.inner.empty|length }}", "2 1 0"),
        ("{% if combo.inner.empty %}some{% else %}none{% endif %} {{ combo.other is none }}", "none True"),
        ("{% for name, part in combo|items if part is not mapping %}{{ name }} {% endfor %}", "ups copies "),
        ("$combo.ups", "1. a\n2. b"),
        (
            "@combo",
            "<combo>\n# ups\n1. a\n2. b\n\n# copies\n1.\n### name\nN\n\n# inner\n## again\n1. 1\n\n## empty\n\n\n# note\nT\n</combo>",
        ),
    ],
)  # fmt: skip
def test_a_list_inside_a_composite_is_a_list(template: str, expected: str) -> None:
    found = render(template, {"combo": Stuff("native.Composite", COMPOSITE)}, concepts=Concepts())
    assert found.text == expected


def test_an_object_of_json_keeps_its_items() -> None:
    given = {"data": Stuff("native.JSON", {"json_obj": {"order": {"items": [1, 2]}}})}
    found = render(
        "{{ data.json_obj.order.items|length }} {{ data.json_obj.order|length }}", given, concepts=Concepts()
    )
    assert found.text == "2 1"


# --- attachments ------------------------------------------------------------------------------------------------------


def test_files_are_numbered_in_order_of_appearance() -> None:
    found = rendered("$photo, then\n@docs\nand $berth.photo with $page.page_view and $berth.plans")
    assert found.text == (
        "[Image 1], then\n<docs>\n[Document 1]\n[Document 2]\n[Document 1]\n</docs>\n"
        "and [Image 1] with [Image 2] and [Document 1]\n[Document 2]"
    )
    assert [image["url"] for image in found.images] == ["p", "v"]
    assert [document["url"] for document in found.documents] == ["d1", "d2"]
    assert found.images[0]["caption"] == "A quay"


def test_system_and_user_text_share_numbers() -> None:
    collected = Attachments()
    assert text("$page.page_view", attachments=collected) == "[Image 1]"
    assert text("$photo $page.page_view", attachments=collected) == "[Image 2] [Image 1]"
    assert [image["url"] for image in collected.images] == ["v", "p"]


def test_images_inside_are_attached_only_on_request() -> None:
    plain = rendered("@page")
    assert plain.text == "<page>\nPAGE\n\nImage: i1\nImage: i2\n\nImage: v\n</page>"
    assert plain.images == ()
    attached = rendered("{{ page|with_images|tag('page') }}")
    assert attached.text == "<page>\nPAGE\n\n[Image 1]\n[Image 2]\n\n[Image 3]\n</page>"
    assert [image["url"] for image in attached.images] == ["i1", "i2", "v"]


def test_images_of_a_loop_are_attached() -> None:
    found = rendered("{% for image in page.text_and_images.images %}{{ image }} {% endfor %}")
    assert found.text == "[Image 1] [Image 2] "


def test_nothing_is_attached_outside_prompts() -> None:
    found = rendered("{{ photo }}", "basic")
    assert (found.text, found.images) == ("Image: A quay (p)", ())


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_extra_context() -> None:
    assert text("{{ greeting }} $seed", extra_context={"greeting": "Hi"}) == "Hi SEED"


def test_shapes_travel_as_json() -> None:
    table = ShapeTable.of(["docks.Berth", "native.Page"], Concepts())
    again = ShapeTable.from_json(json.loads(json.dumps(table.to_json())))
    assert again == table
    assert render("$berth.photo", {"berth": VALUES["berth"]}, concepts=again, category="llm_prompt").text == "[Image 1]"


def test_values_are_not_changed() -> None:
    before = json.dumps(VALUES["berth"].to_json())
    text("{% set x = berth.tags %}{{ x }}{{ berth|tojson }}")
    assert json.dumps(VALUES["berth"].to_json()) == before


def test_a_syntax_error_names_the_line() -> None:
    with pytest.raises(PipelexError, match="line 2") as caught:
        text("a\n{{ b")
    assert caught.value.code == "method.template_invalid"


def test_an_unknown_category_is_refused() -> None:
    with pytest.raises(PipelexError, match="unknown template category"):
        text("a", "poem")


def test_an_inline_sigil_is_left_as_text() -> None:
    assert text("mail bob@seed.org and @media queries") == "mail bob@seed.org and @media queries"


def test_a_list_of_numbers_is_printed_plainly() -> None:
    assert render(
        "{{ x }}", {"x": Stuff.of_list("native.Number", [{"number": 1}, {"number": 2.5}])}, concepts=Concepts()
    ).text == ("1. 1\n2. 2.5")
