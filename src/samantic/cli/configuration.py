"""A configuration file as the argument of a verb, whose keys are its options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from samantic.cli.options import place


def config_options(sub: argparse.ArgumentParser, kind: Callable[[], type[Any]]) -> None:
    """Add a configuration file, whose keys are options too; --help ends with the important keys.

    --help-all ends with all of them.
    """
    sub.add_argument(
        "config", type=place, metavar="CONFIG", help="YAML file; --key value overrides a key"
    )
    sub.add_argument(
        "--resume",
        action="store_true",
        help="continue a stopped run with the same options; its length and devices may change",
    )
    sub.set_defaults(keys=lambda: config_keys(kind()))
    usage = sub.format_help
    sub.add_argument(
        "--help-all",
        action=_HelpAll,
        nargs=0,
        default=argparse.SUPPRESS,
        help="explain every configuration key, and exit",
    )
    sub.set_defaults(explained=lambda: f"{usage()}\nconfiguration keys:\n{_help(kind())}")
    sub.format_help = lambda: f"{usage()}\n{_help(kind(), short=True)}\n"  # type: ignore[method-assign]


class _HelpAll(argparse.Action):
    """Prints the help with every key."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(parser.get_default("explained")())
        parser.exit()


def _help(kind: type[Any], short: bool = False) -> str:
    from samantic.config.read import help_of, short_help_of

    return short_help_of(kind) if short else help_of(kind)


def config_keys(*kinds: type[Any]) -> set[str]:
    """The keys of configurations, which are options of the verbs that read them."""
    from samantic.config import values

    return {key for kind in kinds for key in values.config_keys(kind)}
