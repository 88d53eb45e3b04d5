"""Files that runs read and make: content-addressed blobs in one store, and fetching from outside under a policy.

`Storage` keeps bytes under their own SHA-256, in a local folder, in memory or in an object store; a
`pipelex-storage:` URI means the same blob on every host that shares the store. `load` reads whatever URL a content may
hold; `normalized` moves it into the store.
"""

from pipelex.content.files.kinds import extension_of, file_kind, sniff
from pipelex.storage._blobs import SCHEME, StoredBlob
from pipelex.storage._decoding import BoundedDecoder, UndecodableError
from pipelex.storage._fetch import Fetched, FetchPolicy, fetch
from pipelex.storage._source import Loaded, load, normalized
from pipelex.storage._store import Storage

__all__ = [
    "SCHEME",
    "BoundedDecoder",
    "FetchPolicy",
    "Fetched",
    "Loaded",
    "Storage",
    "StoredBlob",
    "UndecodableError",
    "extension_of",
    "fetch",
    "file_kind",
    "load",
    "normalized",
    "sniff",
]
