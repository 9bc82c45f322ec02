"""The contract's RPCs, as the client calls them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

from aichat_sdk._encoding import MessageT
from aichat_sdk._proto.aichat import v1
from aichat_sdk._vectors import PackedEmbeddings

CHAT = "/aichat.v1.ChatService"
CONVERSATIONS = "/aichat.v1.ConversationService"
FILES = "/aichat.v1.FileService"
NOTIFICATIONS = "/aichat.v1.NotificationService"
USAGE = "/aichat.v1.UsageService"
BILLING = "/aichat.v1.BillingService"
EMBEDDINGS = "/aichat.v1.EmbeddingService"


@dataclass(frozen=True, slots=True)
class Method(Generic[MessageT]):
    """One RPC."""

    path: str
    response: type[MessageT]
    repeatable: bool
    """Whether two calls have the same effect as one."""


# StreamChat and CreateEmbeddings are repeatable because each call carries a `request_id`, and UploadFile because the
# same bytes are stored once; for the others the contract says so.
STREAM_CHAT = Method(f"{CHAT}/StreamChat", v1.StreamChatResponse, repeatable=True)
# ResumeChatResponse has the fields of StreamChatResponse, so both streams decode to the same events.
RESUME_CHAT = Method(f"{CHAT}/ResumeChat", v1.StreamChatResponse, repeatable=True)
CANCEL_GENERATION = Method(f"{CHAT}/CancelGeneration", v1.CancelGenerationResponse, repeatable=True)
COUNT_TOKENS = Method(f"{CHAT}/CountTokens", v1.CountTokensResponse, repeatable=True)
LIST_MODELS = Method(f"{CHAT}/ListModels", v1.ListModelsResponse, repeatable=True)
CREATE_CONVERSATION = Method(f"{CONVERSATIONS}/CreateConversation", v1.CreateConversationResponse, repeatable=False)
GET_CONVERSATION = Method(f"{CONVERSATIONS}/GetConversation", v1.GetConversationResponse, repeatable=True)
LIST_CONVERSATIONS = Method(f"{CONVERSATIONS}/ListConversations", v1.ListConversationsResponse, repeatable=True)
UPDATE_CONVERSATION = Method(f"{CONVERSATIONS}/UpdateConversation", v1.UpdateConversationResponse, repeatable=True)
DELETE_CONVERSATION = Method(f"{CONVERSATIONS}/DeleteConversation", v1.DeleteConversationResponse, repeatable=False)
LIST_MESSAGES = Method(f"{CONVERSATIONS}/ListMessages", v1.ListMessagesResponse, repeatable=True)
UPLOAD_FILE = Method(f"{FILES}/UploadFile", v1.UploadFileResponse, repeatable=True)
GET_FILE = Method(f"{FILES}/GetFile", v1.GetFileResponse, repeatable=True)
DOWNLOAD_FILE = Method(f"{FILES}/DownloadFile", v1.DownloadFileResponse, repeatable=True)
GET_NOTIFICATION_SETTINGS = Method(
    f"{NOTIFICATIONS}/GetNotificationSettings", v1.GetNotificationSettingsResponse, repeatable=True
)
UPDATE_NOTIFICATION_SETTINGS = Method(
    f"{NOTIFICATIONS}/UpdateNotificationSettings", v1.UpdateNotificationSettingsResponse, repeatable=True
)
QUERY_USAGE = Method(f"{USAGE}/QueryUsage", v1.QueryUsageResponse, repeatable=True)
GET_QUOTAS = Method(f"{USAGE}/GetQuotas", v1.GetQuotasResponse, repeatable=True)
LIST_USAGE_EVENTS = Method(f"{USAGE}/ListUsageEvents", v1.ListUsageEventsResponse, repeatable=True)
EXPORT_USAGE_EVENTS = Method(f"{USAGE}/ExportUsageEvents", v1.ExportUsageEventsResponse, repeatable=True)
LIST_PLANS = Method(f"{BILLING}/ListPlans", v1.ListPlansResponse, repeatable=True)
GET_SUBSCRIPTION = Method(f"{BILLING}/GetSubscription", v1.GetSubscriptionResponse, repeatable=True)
CREATE_CHECKOUT_SESSION = Method(f"{BILLING}/CreateCheckoutSession", v1.CreateCheckoutSessionResponse, repeatable=False)
CREATE_PORTAL_SESSION = Method(f"{BILLING}/CreatePortalSession", v1.CreatePortalSessionResponse, repeatable=False)
CHANGE_PLAN = Method(f"{BILLING}/ChangePlan", v1.ChangePlanResponse, repeatable=True)
LIST_INVOICES = Method(f"{BILLING}/ListInvoices", v1.ListInvoicesResponse, repeatable=True)
VERIFY_INVOICE = Method(f"{BILLING}/VerifyInvoice", v1.VerifyInvoiceResponse, repeatable=True)
CREATE_EMBEDDINGS = Method(f"{EMBEDDINGS}/CreateEmbeddings", PackedEmbeddings, repeatable=True)
LIST_EMBEDDING_MODELS = Method(f"{EMBEDDINGS}/ListEmbeddingModels", v1.ListEmbeddingModelsResponse, repeatable=True)
