"""Recognizes errors about the operator's account: its key, its money, its rights, and never the request."""

from __future__ import annotations

import re

NAMES = frozenset(
    {
        # Anthropic's types.
        "authentication_error", "billing_error", "permission_error",
        # OpenAI's types and codes, and those of compatible vendors.
        "insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "access_terminated",
        "account_deactivated", "account_suspended", "exceeded_current_quota_error", "insufficient_balance",
        "insufficient_credits", "invalid_api_key", "incorrect_api_key", "payment_required",
        "unsupported_country_region_territory",
        # Google's statuses and reasons.
        "UNAUTHENTICATED", "PERMISSION_DENIED", "API_KEY_INVALID", "BILLING_DISABLED", "CONSUMER_SUSPENDED",
        "SERVICE_DISABLED",
    }
)  # fmt: skip
"""Error types, codes, statuses and reasons about an account, with any HTTP status."""

# For types that only say that the request was refused or limited. Each is a phrase about an account at the vendor, so
# that a user's own words, when repeated, do not match.
_THEIRS = "(?:account|organi[sz]ation|project|workspace|team|subscription)"
_OFF = "(?:not active|inactive|deactivated|disabled|suspended|blocked|expired)"
_PHRASES = (
    r"\bcredit balance\b",
    r"\b(?:prepa\w+ )?credits? (?:are|is|have been|has been) (?:depleted|exhausted|used up)\b",
    r"\b(?:insufficient|not enough|out of|no remaining) (?:account )?(?:balance|credits?|funds|quota)\b",
    r"\b(?:billing|payment) (?:details|account|method|information|issue)\b",
    r"\b(?:enable|activate|plans? (?:&|and)) billing\b",
    r"\b(?:purchase|buy|add) (?:more )?credits\b",
    r"\b(?:api usage|usage|spend|spending|billing) (?:hard )?(?:limits?|cap) (?:\w+ )?(?:reached|exceeded)\b",
    r"\b(?:reached|exceeded) your (?:\w+ ){0,3}(?:usage|spend|spending|billing) (?:limits?|cap)\b",
    rf"\b{_THEIRS} (?:[\w-]+ ){{0,3}}(?:is|was|has been) {_OFF}\b",
    r"\bapi key (?:is |was |has )?(?:not valid|invalid|expired|been (?:disabled|revoked))\b",
    r"\buser location is not supported\b",
    r"\b(?:invalid|incorrect|missing|expired|revoked) api key\b",
)
_WORDS = re.compile("|".join(_PHRASES), re.IGNORECASE)


def is_about_account(names: list[object], message: str) -> bool:
    """Whether an error with these names and this message is about the operator's account."""
    return any(name in NAMES for name in names if isinstance(name, str)) or _WORDS.search(message) is not None
