"""doctor: check this machine and print what is missing and what to do about it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from framejury.cli.chatter import quiet_tensorflow
from framejury.cli.options import (
    STAND_INS,
    bundle_dir_of,
    run_command,
    settings_of,
    stand_in,
)
from framejury.errors import BundleError
from framejury.machine.able_to_judge import (
    bundle_missing,
    check_bundle,
    check_detectors,
    check_lockdown,
    check_trial,
    check_warehouse,
)
from framejury.machine.check import Check, State, existing_folder
from framejury.machine.hardware import check_disk, check_gpu, check_memory
from framejury.machine.java_and_spark import check_java, check_spark, java_command, spark_env_file
from framejury.machine.packages import check_libraries, check_opencv_twice, check_python
from framejury.machine.trainable import check_tensorflow, check_weights
from framejury.parsers.doctor import parser
from framejury.redaction import printable


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    checks = list(examine_machine(args))
    if args.json:
        print(json.dumps({"checks": [asdict(check) for check in checks]}, indent=1))
    else:
        for line in described(checks):
            print(line)
    return 2 if any(check.state == "problem" for check in checks) else 0


def examine_machine(args: argparse.Namespace) -> Iterator[Check]:
    """Run every check.

    Args:
        args: bundle, warehouse (None: not given), tensorflow, and the options of settings.

    Raises:
        ConfigError: an unknown setting or a value out of range.
    """
    yield check_python()
    yield check_memory()
    yield from check_variables()
    yield from check_libraries()
    yield check_opencv_twice()
    yield from check_detectors()
    yield check_lockdown()
    if find_spec("pyspark") is not None:
        yield check_spark()
        yield check_java(java_command(os.environ, spark_env_file()))
    yield check_gpu()
    if find_spec("tensorflow") is not None:
        yield check_weights(settings_of(args).training)
    if args.tensorflow:
        with quiet_tensorflow():
            found = check_tensorflow()
        yield found
    yield check_disk(Path.cwd() if args.warehouse is None else existing_folder(args.warehouse))
    yield from _bundle_and_trial(args)
    if args.warehouse is not None:
        yield check_warehouse(args.warehouse)


def _bundle_and_trial(args: argparse.Namespace) -> Iterator[Check]:
    given = args.bundle is not None
    try:
        found, bundle = check_bundle(bundle_dir_of(args), given=given)
    except BundleError as error:
        found, bundle = bundle_missing(error, given=given), None
    yield found
    own = None if bundle is None else bundle.judging
    yield check_trial(settings_of(args, judging=True, of_bundle=own), bundle)


def described(checks: Iterable[Check]) -> Iterator[str]:
    """Yield lines for people: one per check, with what to do below it, and a summary."""
    states: list[State] = []
    for check in checks:
        states.append(check.state)
        yield f"{check.state:<8} {check.name:<24} {check.found}"
        if check.to_do:
            yield f"{'':<8} {'':<24} -> {check.to_do}"
    problems, warnings = states.count("problem"), states.count("warning")
    yield f"problems: {problems}, warnings: {warnings}, ok: {states.count('ok')}"


def check_variables() -> Iterator[Check]:
    """Show the environment variables that stand in for options."""
    given = {variable: stand_in(variable) for variable in STAND_INS.values()}
    found = ", ".join(f"{name}={printable(value)}" for name, value in given.items() if value)
    if found:
        yield Check("environment", "ok", found)


if __name__ == "__main__":
    sys.exit(main())
