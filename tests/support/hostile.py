"""Methods, pictures and answers that were made to hurt whoever reads them."""

import gzip
import struct
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO

from PIL import Image

from tests.support.openai_server import Reply

MEGABYTE = 1_000_000

_HEAD = 'domain = "evil"\nmain_pipe = "go"\n'
_PIPE = '[pipe.{name}]\ntype = "{kind}"\ndescription = "d"\ninputs = {{ text = "Text" }}\noutput = "Text"\n'


def composing(template: str) -> str:
    """A method that renders a template."""
    return f"{_HEAD}{_PIPE.format(name='go', kind='PipeCompose')}template = '''{{{{ text }}}}{template}'''\n"


def _calls(level: int, times: int) -> str:
    return ", ".join(f'{{ pipe = "p{level}", result = "r{each}" }}' for each in range(times))


def exploding(depth: int, times: int) -> str:
    """Sequences each of which calls the next one several times: times^depth runs of the last."""
    steps = "".join(
        _PIPE.format(name="go" if level == 0 else f"p{level}", kind="PipeSequence")
        + f"steps = [{_calls(level + 1, times)}]\n"
        for level in range(depth)
    )
    return f'{_HEAD}{steps}{_PIPE.format(name=f"p{depth}", kind="PipeCompose")}template = "$text"\n'


def constructing(fields: int) -> str:
    """A pipe with many fields, each of which renders as long as a template may."""
    structure = "".join(f'f{n} = {{ type = "text", description = "d" }}\n' for n in range(fields))
    loop = "{% for a in range(900) %}{% for b in range(900) %}x{% endfor %}{% endfor %}"
    built = "".join(f"f{n} = {{ template = '{{{{ text }}}}{loop}' }}\n" for n in range(fields))
    return (
        f'{_HEAD}[concept.Big]\ndescription = "d"\n[concept.Big.structure]\n{structure}'
        f'[pipe.go]\ntype = "PipeCompose"\ndescription = "d"\ninputs = {{ text = "Text" }}\noutput = "Big"\n'
        f"[pipe.go.construct]\n{built}"
    )


TEMPLATES = {
    "loops": "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}x{% endfor %}{% endfor %}{% endfor %}",
    "a product": "{{ 'x' * 1000000000 }}",
    "a power": "{{ 9 ** 9 ** 9 ** 9 }}",
    "a range": "{{ range(1000000000) | list | length }}",
    "padding": "{{ 'x' | center(1000000000) }}",
    "a format": "{{ '%1000000000d' | format(1) }}",
    "another format": "{{ '{:>1000000000}'.format(1) }}",
    "replacing": "{% set a = 'a' * 1000 %}{{ a | replace('a', a) | replace('a', a) | replace('a', a) }}",
    "joining": "{% set a = ['x' * 9000] * 9000 %}{{ a | join('y' * 9000) }}",
    "indenting": "{{ ('x\\n' * 9000) | indent(9000) }}",
    "a macro": "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}",
    "doubling": "{% set n = namespace(s='x') %}{% for a in range(64) %}{% set n.s = n.s ~ n.s %}{% endfor %}{{ n.s }}",
    "lists of itself": "{% set n = namespace(s=[1]) %}{% for a in range(64) %}{% set n.s = n.s + n.s %}{% endfor %}{{ n.s }}",
    "words": "{{ lipsum(n=1000000) }}",
    "classes": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals": "{{ cycler.__init__.__globals__.os.system('touch pwned') }}",
    "an attribute": "{{ text | attr('__class__') | attr('__base__') }}",
    "an import": "{% import 'os' as os %}{{ os }}",
    "a file": "{% include '/etc/passwd' %}",
    "nesting": "{{ " + "(" * 400 + "1" + ")" * 400 + " }}",
    "a batch": "{{ range(99999999) | batch(1) | list }}",
    "a sort": "{{ (range(9999) | list * 9999) | sort }}",
    "as JSON": "{{ [text] * 100000000 | tojson }}",
    "wrapping": "{{ ('x ' * 999999) | wordwrap(1, false, 'y' * 9999) }}",
}

METHODS: dict[str, Callable[[], str]] = {
    **{name: lambda template=template: composing(template) for name, template in TEMPLATES.items()},
    "2^20 pipes": lambda: exploding(20, 2),
    "40^6 pipes": lambda: exploding(6, 40),
    "fields": lambda: constructing(600),
}


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _png(width: int, height: int, *more: bytes, rows: int = 0) -> bytes:
    packer = zlib.compressobj(9)
    row = b"\0" + bytes(width * 4)
    data = b"".join(packer.compress(row) for _ in range(rows)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join([_chunk(b"IHDR", head), *more, _chunk(b"IDAT", data), _chunk(b"IEND", b"")])


def _texts() -> bytes:
    """Two hundred texts of ten megabytes each in two megabytes."""
    packed = zlib.compress(bytes(10 * MEGABYTE), 9)
    return _png(4, 4, *[_chunk(b"zTXt", b"k\0\0" + packed)] * 200, rows=4)


def _profile() -> bytes:
    return _png(4, 4, _chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(400 * MEGABYTE), 9)), rows=4)


def _frames(kind: str) -> bytes:
    made = BytesIO()
    frames = [Image.new("L", (64, 64), shade % 256) for shade in range(1_500)]
    frames[0].save(made, kind, save_all=True, append_images=frames[1:])
    return made.getvalue()


def _svg() -> bytes:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    head = f'<!DOCTYPE svg [<!ENTITY e0 "ha"><!ENTITY f SYSTEM "file:///etc/passwd">{entities}]>'
    return f'<?xml version="1.0"?>{head}<svg xmlns="http://www.w3.org/2000/svg"><text>&e11;&f;</text></svg>'.encode()


PICTURES: dict[str, tuple[Callable[[], bytes], str]] = {
    "pixels": (lambda: _png(60_000, 60_000, rows=2_000), "a.png"),
    "pixels below the limit": (lambda: _png(9_000, 9_000, rows=9_000), "a.png"),
    "texts": (_texts, "a.png"),
    "a profile": (_profile, "a.png"),
    "pages": (lambda: _frames("TIFF"), "a.tiff"),
    "frames": (lambda: _frames("GIF"), "a.gif"),
    "entities": (_svg, "a.svg"),
    "a BMP that announces more": (
        lambda: b"BM" + struct.pack("<IHHIIiiHHIIiiII", 99, 0, 0, 54, 40, 65_000, 65_000, 1, 32, 0, 0, 1, 1, 0, 0),
        "a.bmp",
    ),
    "half a JPEG": (lambda: b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\xff" * 1_000_000, "a.jpg"),
}


def _gzipped(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = b" " * MEGABYTE
    return b"".join(packer.compress(piece) for _ in range(size // MEGABYTE)) + packer.flush()


def _of_text(text: str) -> Reply:
    return Reply(body=f'{{"choices":[{{"index":0,"finish_reason":"stop","message":{{"role":"assistant","content":{text}}}}}],'
                 '"id":"1","object":"chat.completion","created":1,"model":"m"}')  # fmt: skip


def answers() -> Iterator[tuple[str, Reply]]:
    """Answers of a provider, by what they do."""
    gzipped = {"content-encoding": "gzip"}
    yield "gzip", Reply(body=_gzipped(300 * MEGABYTE), headers=gzipped)
    yield "twice", Reply(body=gzip.compress(_gzipped(300 * MEGABYTE)), headers={"content-encoding": "gzip, gzip"})
    yield "brackets", Reply(body="[" * 200_000)
    yield "brackets in the text", _of_text('"' + "[" * 200_000 + '"')
    yield "halves", _of_text(r'"\ud800\udfff \udc00"')
    yield "many values", Reply(body="[" + "[]," * 8_000_000 + "[]]")
    yield "an elsewhere", Reply(status=307, headers={"location": "http://169.254.169.254/latest/meta-data"})
    yield "no number", _of_text("1e999999999")
    yield "a long number", _of_text("9" * 100_000)
    yield "no text", Reply(body=b"\xff\xfe" * 100_000)
    yield "closed", Reply(fault="closed")
    yield "truncated", Reply(fault="truncated", text="x" * 100_000)
