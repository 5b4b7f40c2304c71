"""ML Metadata's server on gRPC: the C++ store of its own wheel behind the service that its client calls."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store as cpp
from ml_metadata.proto import metadata_store_pb2, metadata_store_service_pb2

_SERVICE = metadata_store_service_pb2.DESCRIPTOR.services_by_name["MetadataStoreService"]
_STATUS = {code.value[0]: code for code in grpc.StatusCode}


@contextmanager
def running(file: Path) -> Iterator[str]:
    """Serves a SQLite file; gives the address, "127.0.0.1:PORT"."""
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(file)
    config.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    options = metadata_store_pb2.MigrationOptions()
    store = cpp.CreateMetadataStore(config.SerializeToString(), options.SerializeToString())
    one_at_a_time = threading.Lock()  # the store has a single connection

    def handler(method: str) -> Any:
        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            with one_at_a_time:
                response, message, status = getattr(cpp, method)(store, request)
            if status:
                context.abort(_STATUS[status], message.decode())
            return bytes(response)

        return grpc.unary_unary_rpc_method_handler(answer)

    handlers = {one.name: handler(one.name) for one in _SERVICE.methods if hasattr(cpp, one.name)}
    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads)
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(_SERVICE.full_name, handlers)])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()
