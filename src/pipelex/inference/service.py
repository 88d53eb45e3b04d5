"""`Inference` performs every family of effects in one process, with one model deck."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipelex.config import StorageSettings
from pipelex.inference.calls.model_call import SECONDS
from pipelex.inference.calls.retry import LONGEST_RETRY_AFTER
from pipelex.inference.chat.asking.messages import PromptFiles
from pipelex.inference.chat.options import ChatOptions
from pipelex.inference.chat.service import Chat
from pipelex.inference.deck.catalog import INTERNAL
from pipelex.inference.deck.model_deck import ModelDeck
from pipelex.inference.documents.provider import PrintLimits
from pipelex.inference.documents.service import Documents
from pipelex.inference.extract.service import Extraction, ExtractionOptions
from pipelex.inference.families import FAMILY_OF
from pipelex.inference.functions.service import FunctionOptions, Functions
from pipelex.inference.images.options import ImageOptions
from pipelex.inference.images.service import Images
from pipelex.inference.judge.service import Judge
from pipelex.inference.method_trees import MethodTrees
from pipelex.inference.providers import find
from pipelex.inference.search.service import Search
from pipelex.language.blueprints import ModelFamily
from pipelex.pipes.models import ModelChoice, ResolvedModel
from pipelex.storage import FetchPolicy, Storage

if TYPE_CHECKING:
    from pipelex.inference.calls.results import ResultCache


@dataclass(frozen=True)
class InferenceOptions:
    """The options for performing effects."""

    chat: ChatOptions = field(default_factory=ChatOptions)
    extract: ExtractionOptions = field(default_factory=ExtractionOptions)
    images: ImageOptions = field(default_factory=ImageOptions)
    printing: PrintLimits = field(default_factory=PrintLimits)
    functions: FunctionOptions = field(default_factory=FunctionOptions)
    call_timeout: float = SECONDS
    """The time limit of one request to a provider, in seconds, when the orchestrator sets none for the attempt."""
    longest_retry_after: float = LONGEST_RETRY_AFTER
    """The longest wait that a provider may ask for, in seconds; a failure that asks for more is not retried."""
    outage_seconds: float = 0.0
    """How long attempts of a durable call that cannot reach its provider do not count as failures, in seconds."""


class Inference:
    """Performs what pipes ask for: each call is one attempt.

    Every failure is a `PipelexError` whose category says whether trying again can help. Connections to language models
    stay open between calls, separately for each event loop; `aclose` closes those of the running loop.

    Args:
        deck: the models.
        options: the options for performing effects.
        storage: the storage of runs' files; in memory when None.
        policy: the policy for fetching; when None, nothing is fetched from this machine or its network.
        trees: the method trees that this process holds; none when None.
        environ: the environment variables that functions may see some of; this process's when None.
        results: the store that keeps the results of paid calls for later attempts; nothing is kept when None.
    """

    def __init__(
        self,
        deck: ModelDeck,
        options: InferenceOptions | None = None,
        *,
        storage: Storage | None = None,
        policy: FetchPolicy | None = None,
        trees: MethodTrees | None = None,
        environ: Mapping[str, str] | None = None,
        results: "ResultCache | None" = None,
    ) -> None:
        self.deck = deck
        self.options = options or InferenceOptions()
        self.storage = storage or Storage.open(StorageSettings(method="in_memory"), Path())
        self.policy = policy or FetchPolicy()
        self.results = results
        self.trees = trees or MethodTrees()
        """The method trees that this process holds."""
        seconds = self.options.call_timeout
        files = PromptFiles(self.storage, self.policy, self.options.extract.limits)
        self.chat = Chat(deck, files, self.options.chat, seconds)
        self.extraction = Extraction(deck, self.storage, self.policy, self.options.extract, seconds)
        self.images = Images(deck, files, self.options.images, seconds)
        self.documents = Documents(deck, self.storage, self.policy, self.trees, self.options.printing)
        self.search = Search(deck, seconds)
        self.judge = Judge(deck, self.chat, seconds)
        given = {} if environ is None else {"environ": environ}
        self.functions = Functions(self.trees, self.options.functions, **given)

    @classmethod
    def load(
        cls,
        dirs: Sequence[Path],
        environ: Mapping[str, str],
        options: InferenceOptions | None = None,
        *,
        assume_credentials: bool | Collection[str] = False,
    ) -> "Inference":
        """Read the model configuration of `inference` directories, in order of precedence; see `ModelDeck.load`."""
        return cls(ModelDeck.load(dirs, environ, assume_credentials=assume_credentials), options)

    def resolve(self, choice: ModelChoice) -> ResolvedModel:
        """See `ModelDeck.resolve`."""
        return self.deck.resolve(choice)

    def preload(self) -> None:
        """Import what the first calls to the ready backends would import; a failing import is left for the call to report."""
        wanted: set[tuple[ModelFamily, str]] = {
            (FAMILY_OF[model.table.model_type], model.table.sdk)
            for name, backend in self.deck.catalog.backends.items()
            for model in backend.models
            if name != INTERNAL and backend.is_ready and model.table.enabled and model.is_callable
        }
        for family, sdk in sorted(wanted):
            found = find(family, sdk)
            with suppress(Exception):
                if found is not None:
                    found.load()

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self.chat.aclose()
