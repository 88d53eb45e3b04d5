"""The files that runs read and make: content-addressed blobs in one store, and fetching from outside under a policy.

`Storage` keeps bytes under their own SHA-256, in a local folder, in memory or in an object store. A
`pipelex-storage:` URI means the same blob on every host that shares the store. `load` reads any URL that a content may
hold, and `normalized` moves local files and `data:` URLs into the store.
"""

from pipelex.content.files.kinds import extension_of, file_kind, sniff
from pipelex.storage._blobs import SCHEME, StoredBlob
from pipelex.storage._bounded import MOST_KEPT
from pipelex.storage._decoding import BoundedDecoder, UndecodableError
from pipelex.storage._fetch import Fetched, FetchPolicy, fetch, shown_url
from pipelex.storage._saved import SavedFiles, StoredFile, default_name, files_of, safe_name, save_files
from pipelex.storage._source import Loaded, load, load_content, normalized
from pipelex.storage._store import Storage

__all__ = [
    "MOST_KEPT",
    "SCHEME",
    "BoundedDecoder",
    "FetchPolicy",
    "Fetched",
    "Loaded",
    "SavedFiles",
    "Storage",
    "StoredBlob",
    "StoredFile",
    "UndecodableError",
    "default_name",
    "extension_of",
    "fetch",
    "file_kind",
    "files_of",
    "load",
    "load_content",
    "normalized",
    "safe_name",
    "save_files",
    "shown_url",
    "sniff",
]
