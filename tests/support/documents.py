"""Small documents made on the spot."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont


@dataclass(frozen=True)
class PdfPage:
    lines: Sequence[str] = ()
    images: Sequence[Image.Image] = ()
    size: tuple[int, int] = (300, 200)
    """In points."""


def pdf(*pages: PdfPage, encrypted: bool = False) -> bytes:
    """A PDF by hand: lines of text in Helvetica from the top; images as JPEG, those with alpha as pixels with a mask."""
    objects: list[bytes] = [
        b"",
        b"",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]

    def add(body: bytes) -> int:
        objects.append(body)
        return len(objects)

    kids: list[int] = []
    for page in pages:
        names = [(f"I{number}", add_image(image, add)) for number, image in enumerate(page.images)]
        drawn = [f"q 60 0 0 40 {20 + 70 * number} 10 cm /{name} Do Q" for number, (name, _) in enumerate(names)]
        height = page.size[1]
        text = [
            f"BT /F1 12 Tf 20 {height - 30 - 16 * row} Td ({_escaped(line)}) Tj ET"
            for row, line in enumerate(page.lines)
        ]
        content = add(stream("", "\n".join([*text, *drawn]).encode("cp1252")))
        xobjects = " ".join(f"/{name} {number} 0 R" for name, number in names)
        kids.append(
            add(
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {page.size[0]} {height}] /Contents {content} 0 R "
                f"/Resources << /Font << /F1 3 0 R >> /XObject << {xobjects} >> >> >>".encode()
            )
        )
    objects[0] = b"<< /Type /Catalog /Pages 2 0 R >>"
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] >>".encode()
    trailer = f"/Size {len(objects) + 1} /Root 1 0 R"
    if encrypted:
        # No password fits these entries, the empty one neither.
        key = "<" + "ab" * 32 + ">"
        number = add(f"<< /Filter /Standard /V 1 /R 2 /P -4 /O {key} /U {key} >>".encode())
        trailer = f"/Size {number + 1} /Root 1 0 R /Encrypt {number} 0 R /ID [<00> <00>]"
    out = bytearray(b"%PDF-1.7\n")
    offsets: list[int] = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{offset:010} 00000 n \n".encode() for offset in offsets)
    out += f"trailer\n<< {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)


def add_image(image: Image.Image, add: Callable[[bytes], int]) -> int:
    width, height = image.size
    head = f"/Type /XObject /Subtype /Image /Width {width} /Height {height} /BitsPerComponent 8"
    if image.mode == "RGBA":
        mask = add(stream(f"{head} /ColorSpace /DeviceGray", image.getchannel("A").tobytes()))
        return add(stream(f"{head} /ColorSpace /DeviceRGB /SMask {mask} 0 R", image.convert("RGB").tobytes()))
    return add(stream(f"{head} /ColorSpace /DeviceRGB /Filter /DCTDecode", encoded(image.convert("RGB"), "JPEG")))


def stream(entries: str, data: bytes) -> bytes:
    return f"<< {entries} /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def plain(width: int, height: int, color: str = "red", mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (width, height), color)


def encoded(image: Image.Image, form: str = "PNG") -> bytes:
    buffer = BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def written(*lines: tuple[str, int, int], size: tuple[int, int] = (1000, 300)) -> Image.Image:
    """Black text on white, as a scanner would give it: each line with its place."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for text, left, top in lines:
        draw.text((left, top), text, font=ImageFont.load_default(40), fill="black")
    return image
