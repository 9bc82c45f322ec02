"""EmbeddingService over gRPC."""

from __future__ import annotations

from uuid import UUID

import grpc
from aichat.v1 import embeddings_pb2, embeddings_pb2_grpc

from aichat_server.embeddings.domain.embeddings import AskedEmbeddings
from aichat_server.embeddings.rpc.models import model_to_proto
from aichat_server.embeddings.rpc.vectors import response_with
from aichat_server.embeddings.service.embeddings import Embeddings
from aichat_server.identity.service.caller import current_principal
from aichat_server.providers.domain.embeddings import EmbeddingTask
from aichat_server.transport.values import money_to_proto, usage_to_proto

_TASK = "EMBEDDING_TASK_"


class EmbeddingServicer(embeddings_pb2_grpc.EmbeddingServiceServicer):
    """Makes embeddings, and lists the models that do."""

    add_to = embeddings_pb2_grpc.add_EmbeddingServiceServicer_to_server

    def __init__(self, embeddings: Embeddings) -> None:
        self._embeddings = embeddings

    async def CreateEmbeddings(  # noqa: N802
        self, request: embeddings_pb2.CreateEmbeddingsRequest, _context: grpc.aio.ServicerContext[object, object]
    ) -> embeddings_pb2.CreateEmbeddingsResponse:
        """Returns a vector for each input."""
        embedded = await self._embeddings.create(current_principal(), _asked(request))
        response = response_with(embedded.vectors)
        response.model, response.generation_id = embedded.model, str(embedded.generation_id)
        response.usage.CopyFrom(usage_to_proto(embedded.usage))
        response.cost.CopyFrom(money_to_proto(embedded.cost))
        return response

    async def ListEmbeddingModels(  # noqa: N802
        self, _request: embeddings_pb2.ListEmbeddingModelsRequest, _context: grpc.aio.ServicerContext[object, object]
    ) -> embeddings_pb2.ListEmbeddingModelsResponse:
        """Lists the models that the caller's plan offers."""
        models = self._embeddings.list_models(current_principal())
        return embeddings_pb2.ListEmbeddingModelsResponse(models=[model_to_proto(model) for model in models])


def _asked(request: embeddings_pb2.CreateEmbeddingsRequest) -> AskedEmbeddings:
    tokens = tuple(tuple(one.ids) for one in request.tokens)
    task = embeddings_pb2.EmbeddingTask.Name(request.task).removeprefix(_TASK) if request.task else None
    return AskedEmbeddings(
        model=request.model,
        inputs=tokens or tuple(request.texts),
        dimensions=request.dimensions if request.HasField("dimensions") else None,
        task=EmbeddingTask(task) if task is not None else None,
        request_id=UUID(request.request_id) if request.request_id else None,
        field="tokens" if tokens else "texts",
    )
