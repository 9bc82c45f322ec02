// Anthropic's SDK for Node.js.
import assert from "node:assert/strict"
import Anthropic from "@anthropic-ai/sdk"
import { ANTHROPIC, HELLO, KEY, MODELS, PIXEL, ROUNDS, SAID, SUM, SUMS, done } from "./play.mjs"

const client = new Anthropic({ baseURL: ANTHROPIC, apiKey: KEY, maxRetries: 0 })
const tools = [
  {
    name: "add",
    description: "Adds.",
    input_schema: { type: "object", properties: { a: { type: "number" }, b: { type: "number" } }, required: ["a", "b"] },
  },
]
const text = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("")

for (const model of MODELS) {
  const ask = (content) => ({ model, max_tokens: 1000, messages: [{ role: "user", content }] })
  const whole = await client.messages.create(ask(HELLO))
  assert.equal(text(whole), SAID)
  assert.ok(whole.usage.input_tokens > 0)

  const final = await client.messages.stream(ask(HELLO)).finalMessage()
  assert.equal(text(final), SAID)
  assert.ok(final.usage.input_tokens > 0)

  const sums = []
  const request = { ...ask(ROUNDS), tools }
  let answer
  while ((answer = await client.messages.stream(request).finalMessage()).stop_reason === "tool_use") {
    const results = answer.content
      .filter((block) => block.type === "tool_use")
      .map(({ id, input }) => {
        sums.push(input.a + input.b)
        return { type: "tool_result", tool_use_id: id, content: String(sums.at(-1)) }
      })
    request.messages.push({ role: "assistant", content: answer.content }, { role: "user", content: results })
  }
  assert.equal(text(answer), SUM)
  assert.deepEqual(sums, SUMS)

  const image = { type: "image", source: { type: "base64", media_type: "image/png", data: PIXEL } }
  assert.ok(text(await client.messages.create(ask([{ type: "text", text: "What is this?" }, image]))))

  const counted = await client.messages.countTokens({ model, messages: [{ role: "user", content: "How long is this?" }] })
  assert.ok(counted.input_tokens > 0)
  done("messages", model)
}

await assert.rejects(client.messages.create({ model: "no-such-model", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] }), (error) => {
  assert.ok(error instanceof Anthropic.NotFoundError)
  assert.equal(error.error.error.type, "not_found_error")
  assert.ok(error.requestID)
  return true
})
done("error")

const models = []
for await (const model of client.models.list()) models.push(model.id)
for (const model of MODELS) assert.ok(models.includes(model))
done("models")
