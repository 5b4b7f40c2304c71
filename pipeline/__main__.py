"""The one command: its first argument says which of the others to run."""

import argparse
import ast
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from pipeline import __version__, command

COMMANDS = {
    "run": "local_run",
    "compare": "compare",
    "predict": "predict",
    "report": "report",
    "tune": "tune",
    "view": "view_evaluation",
    "backbones": "list_backbones",
    "doctor": "doctor",
    "export-again": "export_again",
    "kubeflow": "kubeflow.__main__",
    "deploy": "deploy",
    "node": "run_node",
}


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Ends the process as the command that is named does; it alone is imported."""
    command.keep_streams()
    program = os.path.basename(sys.argv[0])
    program = "python -m pipeline" if program == "__main__.py" else program
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = _parser(program).parse_args(arguments[:1]).command
    one: command.Command = importlib.import_module(f"pipeline.{COMMANDS[chosen]}").COMMAND
    one.end_process(arguments[1:], f"{program} {chosen}")


def _parser(program: str) -> argparse.ArgumentParser:
    lines = "\n".join(f"  {name:<12}  {_purpose(module)}" for name, module in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog=program,
        usage="%(prog)s [--help] [--version] COMMAND ...",
        description="From a folder of pictures to a gated, published image classifier.",
        epilog=f"commands:\n{lines}\n\n'{program} COMMAND --help' lists the arguments and exit codes of a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"image-classification-pipeline {__version__}")
    parser.add_argument("command", metavar="COMMAND", choices=COMMANDS, help="one of those below")
    return parser


def _purpose(module: str) -> str:
    """The first line of a module's docstring; to import the module would take longer."""
    source = Path(__file__).parent.joinpath(*module.split(".")).with_suffix(".py").read_bytes()
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


if __name__ == "__main__":
    main()
