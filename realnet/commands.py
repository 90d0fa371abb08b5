"""Command lines that answer a mistake with one sentence, which names the nearest right word, and exit code 2."""

import argparse
import difflib
import re
import sys
from typing import ClassVar


class Parser(argparse.ArgumentParser):
    """An ``ArgumentParser`` whose errors are one sentence on stderr, with the nearest option; ``--help`` says the rest.

    Options are not abbreviated: ``--core`` is a mistake, not ``--cores``.
    """

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **{"allow_abbrev": False} | named)

    #: All options of this process's parsers; those of a command within a command are reported by the outer parser.
    options: ClassVar[set] = set()

    def add_argument(self, *names, **named):
        """As ``ArgumentParser`` does, and remember the option for the sentence."""
        action = super().add_argument(*names, **named)
        self.options.update(action.option_strings)
        return action

    def error(self, message):
        """Print the sentence, and exit with 2."""
        wrong = re.match(r"unrecognized arguments: (\S+)", message)
        near = difflib.get_close_matches(wrong[1], sorted(self.options), n=1) if wrong else []
        meant = f" (did you mean {near[0]}?)" if near else ""
        print(f"error: {' '.join(message.split())}{meant}; see {self.prog} --help", file=sys.stderr)
        sys.exit(2)


def whole_number(text):
    """A whole number of at least 1, for ``type=`` of an argument."""
    if not re.fullmatch(r"\d{1,6}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def cores(text):
    """``all`` or a whole number of at least 1, for ``type=`` of an argument."""
    if text == "all":
        return text
    try:
        return whole_number(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither 'all' nor a whole number of at least 1") from None


def plain_name(text):
    """A name without a slash, for ``type=`` of an argument that names one of several folders."""
    if not re.fullmatch(r"[\w.-]+", text) or text.startswith("."):
        raise argparse.ArgumentTypeError(f"{text!r} is no name: letters, digits, - and _ alone")
    return text
