"""The verb `serve`."""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from samantic.cli.options import MODEL, camera_choice, camera_options, place, whole
from samantic.errors import InputError

HELP = "serve models over HTTP: a web page to try pairs on, and an API"

NEEDED = ("fastapi", "prometheus_client", "python_multipart", "uvicorn")
"""Packages of the extra `serve`."""

MOST_PIXELS = 178_956_970
"""Pixels of the largest image that Pillow opens."""


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "models",
        metavar="MODEL",
        nargs="+",
        help=f"{MODEL}; the first is the default of requests",
    )
    sub.add_argument(
        "--device", default="auto", help="auto (a GPU if there is one), cpu, cuda, ..."
    )
    _address_options(sub)
    _limit_options(sub)
    camera_options(sub)


def _address_options(sub: argparse.ArgumentParser) -> None:
    """Options for the server's address, and for who may use it."""
    group = sub.add_argument_group("address")
    group.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (default 127.0.0.1, which only this machine reaches)",
    )
    group.add_argument(
        "--port", type=whole(0, 65535), default=8000, help="port (default 8000); 0 takes a free one"
    )
    group.add_argument(
        "--allow-host",
        metavar="NAME",
        action="append",
        default=[],
        help="a name of this server in its clients' network, as that of a proxy before it; may be "
        "given several times (default: addresses of numbers, localhost, and this machine's name)",
    )
    group.add_argument(
        "--token-file",
        type=place,
        metavar="FILE",
        help="file with a secret word that clients send as `Authorization: Bearer WORD`",
    )


def _limit_options(sub: argparse.ArgumentParser) -> None:
    """Options for the limits of a client's requests."""
    group = sub.add_argument_group("limits")
    group.add_argument(
        "--max-pixels",
        type=whole(256, MOST_PIXELS),
        default=1 << 24,
        metavar="N",
        help="largest image that is decoded (default 16777216)",
    )
    group.add_argument(
        "--max-mib",
        type=whole(1, 4096),
        default=64,
        metavar="N",
        help="largest request in MiB (default 64)",
    )
    group.add_argument(
        "--queue",
        type=whole(1, 4096),
        default=64,
        metavar="N",
        help="most waiting requests; further ones get status 503 (default 64)",
    )
    group.add_argument(
        "--batch-size",
        type=whole(1, 64),
        metavar="N",
        help="waiting pairs of one size that go through the network together at most (default: "
        "what suits the device; 1 for exported files)",
    )
    group.add_argument(
        "--timeout",
        type=whole(1, 3600),
        default=60,
        metavar="SECONDS",
        help="longest time of a request (default 60)",
    )


def run(options: argparse.Namespace) -> None:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(f"serve: needs {missing[0]}; pip install 'samantic[serve]'")
    from samantic.files import MIB
    from samantic.serve.hosts import parse_hosts
    from samantic.serve.server import serve
    from samantic.serve.settings import Settings, read_token

    settings = Settings(
        models=tuple(options.models),
        host=options.host,
        port=options.port,
        allowed_hosts=parse_hosts(options.allow_host),
        token=None if options.token_file is None else read_token(options.token_file),
        max_pixels=options.max_pixels,
        max_bytes=options.max_mib * MIB,
        queue=options.queue,
        batch_size=options.batch_size,
        timeout=options.timeout,
        options={"device": options.device, **camera_choice(options)},
    )
    serve(settings)
