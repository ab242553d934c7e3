"""The command `mlops`."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from mlops.lifetime import Lifetime


def _parser() -> argparse.ArgumentParser:
    import argparse  # noqa: PLC0415 - after Ctrl-C makes no trace any more
    from pathlib import Path  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        prog="mlops", description="MLOps on Amazon SageMaker, rehearsed on this machine before it runs in an account."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    rehearse = commands.add_parser(
        "rehearse",
        help="deploy a model's stacks into an emulated AWS on this machine and run its pipeline there",
        description="Deploys the synthesized stacks into an emulated AWS on a loopback port, uploads generated data, "
        "runs the pipeline for real, and writes a report. Needs no AWS account, no Docker and no network.",
    )
    rehearse.add_argument("model", help="name of a file in config/models, without .yaml")
    rehearse.add_argument("--approve", action="store_true", help="approve every manual approval without asking")
    rehearse.add_argument("--keep", action="store_true", help="keep the endpoints answering until Ctrl-C")
    rehearse.add_argument("--fault", metavar="NAME", help="inject what production does; 'list' names the faults")
    rehearse.add_argument(
        "--without-statement",
        metavar="NAME",
        help="take a statement out of a policy between accounts and see what breaks; 'list' names them",
    )
    rehearse.add_argument(
        "--data", metavar="FILE", type=Path, help="CSV with a header to upload instead of generated data"
    )
    rehearse.add_argument(
        "--environments",
        metavar="FILE",
        type=Path,
        help="the accounts, instead of config/environments.yaml; see config/accounts.example.yaml",
    )
    rehearse.add_argument(
        "--traffic",
        metavar="RATE",
        type=float,
        help="bring a second version while so many requests a second go to the last environment",
    )
    rehearse.add_argument(
        "--time-scale",
        metavar="N",
        type=float,
        default=120.0,
        help="seconds that pass in the emulated AWS while one passes here (default: 120)",
    )
    rehearse.add_argument(
        "--report", metavar="FILE", type=Path, help="where the report goes (default: reports/<model>[-<fault>].html)"
    )
    check = commands.add_parser(
        "check-container",
        help="check a container of your own against SageMaker's contract",
        description="Builds the image with the best means of this machine, trains and serves with the sample that the "
        "container brings along, and says of each rule of the contract whether it is kept, with the fix where not.",
    )
    check.add_argument("path", metavar="PATH", type=Path, help="the folder with the Dockerfile and the folder sample/")
    check.add_argument("--only", choices=("train", "serve"), help="check one of the two programs")
    build = commands.add_parser(
        "build-image",
        help="build, check and push the image of a container of your own",
        description="Pushes the image under the digest of its build context, unless the repository has it already, and "
        "writes its name with digest to standard output, and nothing else there.",
    )
    build.add_argument("path", metavar="PATH", type=Path, help="the folder with the Dockerfile")
    build.add_argument("--repository", metavar="NAME", required=True, help="the ECR repository, such as mlops-iris")
    give = commands.add_parser(
        "hand-over",
        help="hand a trained model over to its pipeline, from the data scientists' account",
        description="Checks the three files, uploads them to the bucket of candidates with the credentials and the "
        "region of your shell, and registers and approves them as one model package, which starts the pipeline. The "
        "same candidate twice is handed over once.",
    )
    give.add_argument("name", metavar="MODEL", help="name of a file in config/models, without .yaml")
    for option, what in (
        ("--model", "the trained model, as a training job packs it: model.tar.gz"),
        ("--data", "the CSV with a header that it was trained and measured with"),
        ("--metrics", "what it was measured to be: evaluation.json"),
    ):
        give.add_argument(option, metavar="FILE", type=Path, required=True, help=what)
    give.add_argument("--code-version", metavar="V", help="the commit of the code that trained it")
    back = commands.add_parser(
        "rollback",
        help="take an environment back to an earlier version of a model",
        description="Shows what it will do and why, asks, and follows it to the end, with the credentials of your "
        "shell: the stage of the pipeline runs again with what an earlier execution brought, or, where there is no "
        "such execution, the stack of the environment is updated.",
    )
    back.add_argument("name", metavar="MODEL", help="name of a file in config/models, without .yaml")
    back.add_argument("--environment", metavar="E", required=True, choices=("dev", "staging", "prod"))
    back.add_argument("--to", metavar="VERSION", type=int, help="default: the last one before that was well there")
    back.add_argument("--yes", action="store_true", help="do not ask")
    for command in (check, build):
        command.add_argument(
            "--rung",
            choices=("docker", "buildah", "bubblewrap", "prefix"),
            help="how the image is built and run (default: the best of these that this machine has)",
        )
    return parser


def _command(options: argparse.Namespace, lifetime: Lifetime) -> int:
    # Each command imports its own: `mlops --help` needs none of it.
    if options.command == "check-container":
        from mlops.container.cli import check_container  # noqa: PLC0415

        return check_container(options.path, only=options.only, rung=options.rung)
    if options.command == "build-image":
        from mlops.container.cli import build_image  # noqa: PLC0415

        return build_image(options.path, repository=options.repository, rung=options.rung)
    if options.command == "hand-over":
        from mlops.handover import hand_over  # noqa: PLC0415

        return hand_over(
            options.name,
            archive=options.model,
            data=options.data,
            metrics=options.metrics,
            code_version=options.code_version,
        )
    if options.command == "rollback":
        from mlops.rollback import roll_back  # noqa: PLC0415

        return roll_back(options.name, environment=options.environment, to=options.to, yes=options.yes)
    from mlops.rehearse import rehearse  # noqa: PLC0415

    return rehearse(
        options.model,
        approve=options.approve,
        keep=options.keep,
        fault_name=options.fault,
        report=options.report,
        data=options.data,
        environments=options.environments,
        without=options.without_statement,
        traffic=options.traffic,
        time_scale=options.time_scale,
        output_lost=lifetime.output_lost,
    )


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status: 0 as intended, 1 not as intended, 2 wrong input, 130 interrupted."""
    from mlops.lifetime import Lifetime  # noqa: PLC0415

    lifetime = Lifetime()
    try:
        try:
            options = _parser().parse_args(arguments)
            lifetime.begin()
            return _command(options, lifetime)
        finally:
            lifetime.end()
    except (KeyboardInterrupt, BrokenPipeError):
        return lifetime.interrupted()
    except Exception as error:  # noqa: BLE001 - whatever it is: one line for the person, the trace in a file
        return lifetime.failed(error)


def main() -> None:
    """Run the command of this process and leave."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Until there is something to end, Ctrl-C ends this process without a trace.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from mlops.lifetime import leave  # noqa: PLC0415

    leave(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
