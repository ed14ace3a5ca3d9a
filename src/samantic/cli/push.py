"""The verb `push`."""

from __future__ import annotations

import argparse

HELP = "upload a trained model to the model hub, with a model card"


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "model", metavar="MODEL", help="run folder, model folder, nano, nano-small or sartm-nano"
    )
    sub.add_argument(
        "repository", metavar="OWNER/NAME", help="repository of the hub; created if there is none"
    )
    sub.add_argument(
        "--private", action="store_true", help="create a repository that only its owner can see"
    )
    sub.add_argument(
        "--base",
        metavar="OWNER/NAME",
        help="hub id of the base, if the base was a local folder with the same files",
    )


def run(options: argparse.Namespace) -> None:
    from samantic.run.push import push
    from samantic.strings import printable

    done = push(options.model, options.repository, private=options.private, base=options.base)
    print(printable(f"{done.url}, commit {done.commit}"))
    print(f'samantic.load("{options.repository}@{done.commit}") loads this version')
