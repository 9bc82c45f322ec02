// OpenAI's SDK for Node.js.
import assert from "node:assert/strict"
import OpenAI from "openai"
import { CITY, CITY_SCHEMA, HELLO, KEY, MODELS, OPENAI, PIXEL, ROUNDS, SAID, SUM, SUMS, done } from "./play.mjs"

const client = new OpenAI({ baseURL: OPENAI, apiKey: KEY, maxRetries: 0 })
const parameters = {
  type: "object",
  properties: { a: { type: "number" }, b: { type: "number" } },
  required: ["a", "b"],
  additionalProperties: false,
}

for (const model of MODELS) {
  const ask = (content) => ({ model, messages: [{ role: "user", content }] })
  const whole = await client.chat.completions.create(ask(HELLO))
  assert.equal(whole.choices[0].message.content, SAID)
  assert.ok(whole.usage.cost >= 0)

  const stream = client.chat.completions.stream({ ...ask(HELLO), stream_options: { include_usage: true } })
  const final = await stream.finalChatCompletion()
  assert.equal(final.choices[0].message.content, SAID)
  assert.ok(final.usage.total_tokens > 0)

  const sums = []
  const runner = client.chat.completions.runTools({
    ...ask(ROUNDS),
    stream: true,
    tools: [
      {
        type: "function",
        function: { name: "add", description: "Adds.", parameters, parse: JSON.parse, function: ({ a, b }) => (sums.push(a + b), String(a + b)) },
      },
    ],
  })
  assert.equal(await runner.finalContent(), SUM)
  assert.deepEqual(sums, SUMS)

  const image = { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` } }
  const seen = await client.chat.completions.create(ask([{ type: "text", text: "What is this?" }, image]))
  assert.ok(seen.choices[0].message.content)

  const format = { type: "json_schema", json_schema: { name: "city", schema: CITY_SCHEMA, strict: true } }
  const city = await client.chat.completions.create({ ...ask(CITY), response_format: format })
  assert.deepEqual(JSON.parse(city.choices[0].message.content), { name: "Oslo", people: 700000 })
  done("chat", model)

  const answer = await client.responses.create({ model, input: HELLO })
  assert.equal(answer.output_text, SAID)
  const events = client.responses.stream({ model, input: HELLO })
  assert.equal((await events.finalResponse()).output_text, SAID)
  done("responses", model)
}

await assert.rejects(client.chat.completions.create({ model: "no-such-model", messages: [{ role: "user", content: "Hi" }] }), (error) => {
  assert.ok(error instanceof OpenAI.NotFoundError)
  assert.equal(error.code, "model_not_found")
  assert.ok(error.requestID)
  return true
})
done("error")

const embedded = await client.embeddings.create({ model: "text-embedding-3-small", input: ["Oslo", "Rome"] })
assert.deepEqual(embedded.data.map((one) => one.embedding.length), [1536, 1536])
done("embeddings")

const models = await client.models.list()
for (const model of MODELS) assert.ok(models.data.some((one) => one.id === model))
done("models")
