"""Two hundred and more requests that a server must survive."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tests.serve.servers import pair, png

Way = Literal["send", "leave", "drip"]


@dataclass(frozen=True)
class Attack:
    """A request, sent as it is.

    Attributes:
        name: What it is.
        raw: Its bytes.
        way: `send` waits for the answer, `leave` closes after the bytes, `drip` goes on with a byte
            every tenth of a second, and waits.
    """

    name: str
    raw: bytes
    way: Way = "send"


def request(body: bytes, *headers: str, length: int | str | None = None) -> bytes:
    size = len(body) if length is None else length
    usual = [
        "POST /predict HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Length: {size}",
        *(headers or ("Content-Type: multipart/form-data; boundary=b",)),
    ]
    return "\r\n".join(usual).encode() + b"\r\n\r\n" + body


def part(content: bytes, name: str = "rgb", filename: bytes | None = b"a.png") -> bytes:
    tail = b"" if filename is None else b'; filename="' + filename + b'"'
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"'.encode()
    return head + tail + b"\r\n\r\n" + content + b"\r\n"


def form(content: bytes, name: str = "rgb", filename: bytes | None = b"a.png") -> bytes:
    return part(content, name, filename) + b"--b--\r\n"


def attacks() -> Iterator[Attack]:
    for make in (torn, bombs, types, names, fields, forms, lengths, headers, large, slow, noise):
        yield from make()


def images() -> dict[str, bytes]:
    scene = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    forms = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
    return {name: png(scene, name) for name in forms}


def torn() -> Iterator[Attack]:
    for kind, content in images().items():
        for share in (0.01, 0.1, 0.5, 0.9, 0.999):
            body = form(content[: int(share * len(content))], "rgb")
            yield Attack(f"torn {kind} {share}", request(body))


def chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def png_of(width: int, height: int, data: bytes, *more: bytes, depth: int = 8) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    chunks = [chunk(b"IHDR", head), *more, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def bombs() -> Iterator[Attack]:
    packed = zlib.compress(bytes(1 << 25), 9)
    sides = ((101, 100), (60_000, 60_000), (2**31 - 1, 2**31 - 1), (2**31, 1), (10**9, 1), (0, 5))
    for wide, tall in sides:
        yield Attack(f"PNG of {wide}x{tall}", request(form(png_of(wide, tall, b"x"))))
        both = part(pair()["rgb"]) + form(png_of(wide, tall, packed), "thermal")
        yield Attack(f"thermal PNG of {wide}x{tall}", request(both))
    yield Attack("PNG that unpacks to 32 MB", request(form(png_of(64, 48, packed))))
    text = chunk(b"zTXt", b"a\0\0" + packed)
    many = [text] * 8
    yield Attack("PNG with text of 32 MB", request(form(png_of(64, 48, packed, text))))
    yield Attack("PNG with text of 256 MB", request(form(png_of(64, 48, packed, *many))))
    icc = chunk(b"iCCP", b"a\0\0" + packed)
    yield Attack("PNG with a profile of 32 MB", request(form(png_of(64, 48, packed, icc))))
    for wide, tall in ((50_000, 50_000), (2**31 - 1, 7)):
        yield Attack(f"BMP of {wide}x{tall}", request(form(bmp(wide, tall))))
        yield Attack(f"TIFF of {wide}x{tall}", request(form(tiff(wide, tall))))
    for wide in (9_000, 16_383):
        yield Attack(f"WEBP of {wide}", request(form(webp(wide))))
    for side in (102, 11_000):
        content = tiff(side, side, data=packed, bits=64, compression=8)
        yield Attack(f"TIFF of {side}x{side} floats", request(form(content, "thermal")))
    yield Attack("TIFF whose pages go round", request(form(tiff(64, 48, next_page=8))))


def bmp(wide: int, tall: int) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, wide, tall, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head


def tiff(
    wide: int,
    tall: int,
    next_page: int = 0,
    data: bytes = b"data",
    bits: int = 8,
    compression: int = 1,
) -> bytes:
    tags = {256: wide, 257: tall, 258: bits, 259: compression, 262: 1, 273: 200, 277: 1}
    tags |= {278: tall, 279: len(data), 339: 3 if bits > 32 else 1}
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + rows + struct.pack("<I", next_page)
    return head.ljust(200, b"\0") + data


def webp(side: int) -> bytes:
    lossless = png(np.zeros((16, 16, 3), np.uint8), "WEBP", lossless=True)[12:]
    extent = (side - 1).to_bytes(3, "little") * 2
    frame = bytes(6) + (15).to_bytes(3, "little") * 2 + bytes(4) + lossless
    parts = ((b"VP8X", b"\2\0\0\0" + extent), (b"ANIM", bytes(6)), (b"ANMF", frame))
    body = b"WEBP" + b"".join(n + struct.pack("<I", len(c)) + c for n, c in parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def types() -> Iterator[Attack]:
    scene = np.zeros((48, 64, 3), np.uint8)
    contents = {
        "nothing": b"",
        "text": b"hello " * 100,
        "HTML": b"<html><script>alert(1)</script></html>",
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>',
        "PDF": b"%PDF-1.7\n1 0 obj",
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run",
        "zip": b"PK\3\4" + bytes(100),
        "ELF": b"\x7fELF" + bytes(100),
        "zeros": bytes(10_000),
        "GIF": png(scene, "GIF"),
        "ICO": png(scene, "ICO"),
        "PPM": png(scene, "PPM"),
        "animation": png(scene, "PNG", save_all=True, append_images=[]),
        "FFF": b"FFF\0" + bytes(200),
        "FFF of records": b"FFF\0" + b"\0" * 16 + struct.pack(">III", 101, 64, 2**31),
        "SEQ": (b"FFF\0" + bytes(60)) * 50,
        "JPEG of markers": b"\xff\xd8" + b"\xff\xe1\0\2" * 5_000,
        "JPEG of FLIR": b"\xff\xd8\xff\xe1\0\x0cFLIR\0\1\0\0FF" + images()["JPEG"][2:],
        "counts of 16 bits": png(np.zeros((48, 64), np.uint16)),
        "floats": png(np.full((48, 64), np.nan, np.float32), "TIFF"),
    }
    for kind, content in contents.items():
        for name in ("rgb", "thermal", "rgbt"):
            yield Attack(f"{kind} as {name}", request(form(content, name)))


def names() -> Iterator[Attack]:
    content = pair()["rgb"]
    for name in (
        b"../../../../tmp/evil.png",
        b"/etc/passwd",
        b"C:\\Windows\\evil.png",
        b"..",
        b"a\0b.png",
        b"<img src=x onerror=alert(1)>.png",
        b"'; DROP TABLE x; --.png",
        b"x" * 5_000 + b".png",
        b"\xff\xfe\xfd.png",
        "‮gnp.exe".encode(),
        b"%00%2e%2e%2f.png",
        b"CON",
        b'a"; filename="b.png',
        b"$(touch /tmp/evil)",
        b"\r\nX-Evil: 1\r\n.png",
    ):
        yield Attack(f"file name {name[:20]!r}", request(form(content, "rgb", name)))
        yield Attack(f"bad file {name[:20]!r}", request(form(b"x", "rgb", name)))


def fields() -> Iterator[Attack]:
    image = part(pair()["rgb"])
    for name in ("model", "format", "include", "ground"):
        for text in (
            b"<script>alert(1)</script>",
            b"../../nano",
            b"\xff\0",
            b"x" * 4_000,
            b"x" * 9_000,
        ):
            body = image + form(text, name, None)
            yield Attack(f"{name} {text[:12]!r}", request(body))


def forms() -> Iterator[Attack]:
    content = pair()["rgb"]
    many = b"".join(part(b"x", f"f{i}", None) for i in range(2_000))
    pairs = {
        "no end": part(content),
        "no parts": b"--b--\r\n",
        "nothing": b"",
        "another boundary": form(content).replace(b"--b", b"--c"),
        "many fields": many + b"--b--\r\n",
        "many files": b"".join(part(b"x", f"f{i}") for i in range(500)) + b"--b--\r\n",
        "no name": b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
        "no disposition": b"--b\r\nX: y\r\n\r\nx\r\n--b--\r\n",
        "huge part header": b"--b\r\nX: " + b"y" * 300_000 + b"\r\n\r\nx\r\n--b--\r\n",
        "many part headers": b"--b\r\n" + b"X: y\r\n" * 20_000 + b"\r\nx\r\n--b--\r\n",
        "line ends before": b"\r\n" * 100_000 + form(content),
        "much after": form(content) + b"x" * 300_000,
        "nested": form(form(content)),
        "control letters": bytes(range(256)) * 20,
    }
    for name, body in pairs.items():
        yield Attack(f"form with {name}", request(body))
    for kind in (
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "b" * 5_000,
        "multipart/form-data; boundary=b; charset=utf-7",
        "multipart/form-data; boundary=b; charset=nonsense",
        "multipart/mixed; boundary=b",
        "application/x-www-form-urlencoded",
        "application/json",
        "",
        "<script>",
    ):
        yield Attack(f"type {kind[:30]}", request(form(content), f"Content-Type: {kind}"))


def lengths() -> Iterator[Attack]:
    body = form(pair()["rgb"])
    for length in (0, 1, len(body) - 1, len(body) - 400):
        yield Attack(f"{length} of {len(body)} bytes are declared", request(body, length=length))
    for length in (len(body) + 1, 100_000):
        raw = request(body, length=length)
        yield Attack(f"{length} declared, then gone", raw, "leave")
        yield Attack(f"{length} declared, then silent", raw)
    for text in ("-1", "abc", "1e3", "9" * 40, "0x10", "", "5, 5"):
        yield Attack(f"length {text[:10]}", request(body, length=text))
    chunked = "Transfer-Encoding: chunked"
    kind = "Content-Type: multipart/form-data; boundary=b"
    start = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\n{kind}\r\n{chunked}\r\n".encode()
    for name, rest in {
        "both": b"Content-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "bad size": b"\r\nxyz\r\nhello\r\n",
        "negative": b"\r\n-5\r\nhello\r\n",
        "huge": b"\r\nffffffffffffffff\r\nhello\r\n",
        "no end": b"\r\n5\r\nhello\r\n",
        "empty": b"\r\n0\r\n\r\n",
    }.items():
        yield Attack(f"chunks: {name}", start + rest)
    yield Attack("unknown encoding", start.replace(b"chunked", b"gzip") + b"\r\nx")


def headers() -> Iterator[Attack]:
    for name, lines in {
        "long": "X: " + "y" * 100_000,
        "many": "\r\n".join(f"X{i}: y" for i in range(5_000)),
        "long name": "X" * 100_000 + ": y",
        "control letters": "X: a\0b",
        "folded": "X: a\r\n b",
        "smuggled": "Content-Length : 5",
        "no colon": "X",
        "host": "Host: <script>",
    }.items():
        yield Attack(
            f"headers: {name}",
            f"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n\r\n".encode(),
        )
    for line in (
        "GET / HTTP/9.9",
        "GET /" + "a" * 60_000 + " HTTP/1.1",
        "GET /page/../../../etc/passwd HTTP/1.1",
        "GET /page/%2e%2e%2fapp.py HTTP/1.1",
        "GET /page//etc/passwd HTTP/1.1",
        "GET /scenes/%00/rgb.png HTTP/1.1",
        "GET /%ff%fe<script> HTTP/1.1",
        "BREW / HTTP/1.1",
        "PRI * HTTP/2.0",
        "\x16\x03\x01\x02",
        "",
    ):
        yield Attack(f"line {line[:30]!r}", f"{line}\r\nHost: 127.0.0.1\r\n\r\n".encode("latin-1"))
    upgrade = (
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    yield Attack("websocket", upgrade.encode())


def large() -> Iterator[Attack]:
    content = b"x" * (1 << 20)
    yield Attack("1 MiB, declared", request(form(content)))
    yield Attack("4 MiB, declared", request(form(4 * content)))
    yield Attack("1 TiB, declared", request(b"x", length=1 << 40))
    kind = "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n"
    start = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\n{kind}\r\n".encode()
    pieces = b"".join(b"10000\r\n" + b"x" * 65536 + b"\r\n" for _ in range(20))
    yield Attack("1.3 MiB in chunks", start + pieces + b"0\r\n\r\n")
    yield Attack("chunks of a form", start + b"100000\r\n" + form(content)[: 1 << 20] + b"\r\n")
    yield Attack("a body for GET", request(content).replace(b"POST /predict", b"GET /health"))


def slow() -> Iterator[Attack]:
    body = request(form(pair()["rgb"]))
    for share in (0.0, 0.1, 0.5, 0.99):
        yield Attack(f"silent after {share}", body[: int(share * len(body))])
        yield Attack(f"drips after {share}", body[: int(share * len(body))], "drip")
        yield Attack(f"gone after {share}", body[: int(share * len(body))], "leave")
    yield Attack("gone before the answer", body, "leave")


def noise() -> Iterator[Attack]:
    rng = random.Random(0)  # noqa: S311
    for kind, content in images().items():
        for number in range(6):
            changed = bytearray(content)
            for _ in range(20):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
            name = ("rgb", "thermal")[number % 2]
            yield Attack(f"noise in {kind} {number}", request(form(bytes(changed), name)))
