"""A workflow module that asks the file system while it is loaded; the sandbox must notice."""

from pathlib import Path

from temporalio import workflow

HERE = str(Path().resolve())


@workflow.defn(name="AsksFilesAtImport")
class AsksFilesAtImport:
    @workflow.run
    async def run(self) -> str:
        return HERE
