"""CodePipeline as the logic needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class CodePipeline:
    """One pipeline."""

    def __init__(self, codepipeline: Any, *, name: str) -> None:
        """Use the client `codepipeline` for the pipeline `name`."""
        self._codepipeline, self._name = codepipeline, name

    def start(self, *, token: str, versions: Mapping[str, str]) -> str:
        """Start an execution with a version for each source action and return its id."""
        started = self._codepipeline.start_pipeline_execution(
            name=self._name,
            clientRequestToken=token,
            sourceRevisions=[
                {"actionName": action, "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": version}
                for action, version in sorted(versions.items())
            ],
        )
        return str(started["pipelineExecutionId"])
