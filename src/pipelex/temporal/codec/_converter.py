"""The data converter of a client or worker, as `[temporal.payload_codec_config]` describes it."""

from typing import Any, Final

from temporalio import converter
from temporalio.converter import DataConverter, ExternalStorage

from pipelex.config import Settings
from pipelex.storage import Storage
from pipelex.temporal.codec._codec import PipelexCodec
from pipelex.temporal.codec._compression import require_zstd
from pipelex.temporal.codec._driver import PayloadStore
from pipelex.temporal.codec._encryption import Encryption
from pipelex.temporal.config import ConnectionSettings, TemporalConfig
from pipelex.temporal.workflow.failures import ReportingFailureConverter, SecretFailureConverter
from pipelex.temporal.workflow.payloads import CompactPayloadConverter

_TABLE: Final = "temporal.payload_codec_config.storage_provider_config"


def data_converter(config: TemporalConfig, settings: Settings, target: ConnectionSettings) -> DataConverter:
    """The data converter of every client, worker and replayer. It alone decides how payloads are written.

    Args:
        config: the configuration, for `[temporal.payload_codec_config]`.
        settings: the settings, which have the base of a relative folder, and the environment with keys and credentials.
        target: the server. If it is on this machine, large payloads are stored unless `is_enabled` is false.

    Raises:
        ConfigurationError: a key or a package is missing.
    """
    codec = config.payload_codec_config
    store = storage = None
    if codec.has_storage(is_local=target.is_local):
        opened = Storage.open(codec.storage, settings.base_dir, settings.environ, table=_TABLE)
        store = PayloadStore(opened, codec.max_payload_bytes)
        storage = ExternalStorage(drivers=[store], payload_size_threshold=codec.size_threshold)
    if codec.compression is not None:
        require_zstd()
    return DataConverter(
        payload_converter_class=CompactPayloadConverter,
        payload_codec=PipelexCodec(
            Encryption.configured(codec.encryption, settings.environ),
            is_compressing=codec.compression is not None,
            store=store,
            limit=codec.max_payload_bytes,
        ),
        # Messages and stack traces of failures are as secret as payloads.
        failure_converter_class=ReportingFailureConverter if codec.encryption is None else SecretFailureConverter,
        external_storage=storage,
        **without_size_warnings(),
    )


def without_size_warnings() -> dict[str, Any]:
    """The options that keep a converter of the first SDK versions (1.29) from warning in Python about large payloads.

    `pipelex.durable.limits` checks sizes, and names the value. Later SDK versions do not warn in the converter.
    """
    limits = getattr(converter, "PayloadLimitsConfig", None)
    return {} if limits is None else {"payload_limits": limits(memo_size_warning=0, payload_size_warning=0)}
