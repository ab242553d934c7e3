"""What a data scientist does in a rehearsal: trains a model with some data, and hands it over by its command."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from mlops.rehearsal import credentials, processes
from mlops.rehearsal.candidate import make_candidate
from mlops.rehearsal.project import ENVIRONMENTS
from mlops_constructs.settings import ModelSettings, Settings

_COMMAND = (
    "import sys; from pathlib import Path; from mlops.handover.cli import hand_over; "
    "folder, root, model = sys.argv[1:]; place = Path(folder); "
    "sys.exit(hand_over(model, archive=place / 'model.tar.gz', data=place / 'data.csv', "
    "metrics=place / 'evaluation.json', root=Path(root)))"
)


class HandoverError(RuntimeError):
    """The candidate was not handed over; the text is what the command said."""


def hand_over(
    model: ModelSettings,
    settings: Settings,
    data: str,
    folder: Path,
    *,
    root: Path,
    environments: Path | None,
) -> None:
    """Train `model` with `data` in `folder` and hand it over from the data scientists' account.

    Raises:
        HandoverError: it was refused.

    """
    make_candidate(model, data, folder)
    where = settings.environments.data_science
    if where is None:
        msg = f"there is no data-science account from which {model.name} could be handed over"
        raise HandoverError(msg)
    if environments is not None:
        # The settings as the data scientist has them: the project's, with the accounts of this rehearsal.
        root = Path(shutil.copytree(root / "config", folder / "project" / "config").parent)
        shutil.copyfile(environments, root / ENVIRONMENTS)
    child = processes.spawn(
        [sys.executable, "-c", _COMMAND, str(folder), str(root), model.name],
        env=credentials.operator_environment(where.region, account=where.account),
        cwd=root,
    )
    try:
        printed, _ = child.communicate()
    finally:
        processes.end(child)
    if child.returncode:
        raise HandoverError(printed.decode(errors="replace").strip())
