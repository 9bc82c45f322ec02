"""Idempotency keys, as Stripe documents them."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import httpx
import pytest
import stripe as sdk

from tests.fixtures.stripe import SECRET_KEY, Stripe

HEADERS = {"authorization": f"Bearer {SECRET_KEY}"}
DAY = 24 * 3600


async def post(stripe: Stripe, path: str, key: str, **params: str) -> httpx.Response:
    return await stripe.http.post(f"/v1/{path}", data=params, headers={**HEADERS, "idempotency-key": key})


async def test_the_same_request_under_the_same_key_is_done_once(stripe: Stripe) -> None:
    key = str(uuid4())
    first, second = [await post(stripe, "customers", key, name="Ada") for _ in range(2)]
    assert first.json() == second.json()
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["idempotency-key"] == key
    assert first.headers["request-id"] != second.headers["request-id"]


async def test_other_parameters_or_another_address_are_refused(stripe_sdk: sdk.StripeClient) -> None:
    key = str(uuid4())
    made = await stripe_sdk.v1.customers.create_async({"name": "Ada"}, {"idempotency_key": key})
    with pytest.raises(sdk.IdempotencyError) as other_name:
        await stripe_sdk.v1.customers.create_async({"name": "Bob"}, {"idempotency_key": key})
    with pytest.raises(sdk.IdempotencyError) as other_path:
        await stripe_sdk.v1.customers.update_async(made.id, {"name": "Ada"}, {"idempotency_key": key})
    assert other_name.value.http_status == other_path.value.http_status == 400


async def test_a_failure_after_the_checks_is_kept_as_well(stripe: Stripe) -> None:
    key = str(uuid4())
    first, second = [await post(stripe, "customers/cus_nobody", key, name="Ada") for _ in range(2)]
    assert first.status_code == second.status_code == 404
    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("wrong", [{"limits": "1"}, {"name[a]": "b"}])
async def test_a_request_that_fails_its_checks_leaves_its_key_free(stripe: Stripe, wrong: dict[str, str]) -> None:
    key = str(uuid4())
    refused = await post(stripe, "customers", key, **wrong)
    assert refused.status_code == 400
    made = await post(stripe, "customers", key, name="Ada")
    assert made.status_code == 200
    assert "idempotent-replayed" not in made.headers


async def test_a_fault_inside_stripe_is_kept_and_one_in_front_of_it_is_not(stripe: Stripe) -> None:
    for status, then in ((500, 500), (503, 200), (429, 200)):
        key = str(uuid4())
        await stripe.fail("/v1/customers", how="status", status=status)
        assert [(await post(stripe, "customers", key)).status_code for _ in range(2)] == [status, then]


async def test_a_key_serves_one_request_at_a_time(stripe: Stripe) -> None:
    key = str(uuid4())
    await stripe.fail("/v1/customers", how="hang")
    hanging = asyncio.create_task(post(stripe, "customers", key))
    async with asyncio.timeout(20):
        while not [entry for entry in await stripe.log() if entry["idempotency_key"] == key]:
            await asyncio.sleep(0.01)
    conflict = await post(stripe, "customers", key)
    assert (conflict.status_code, conflict.json()["error"]["code"]) == (409, "idempotency_key_in_use")
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)


async def test_a_key_is_forgotten_after_a_day(stripe: Stripe) -> None:
    key = str(uuid4())
    first = await post(stripe, "customers", key)
    await stripe.advance(DAY - 60)
    again = await post(stripe, "customers", key)
    await stripe.advance(120)
    another = await post(stripe, "customers", key)
    assert first.json()["id"] == again.json()["id"] != another.json()["id"]
