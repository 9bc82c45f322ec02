// The AI SDK, over both APIs.
import assert from "node:assert/strict"
import { createAnthropic } from "@ai-sdk/anthropic"
import { createOpenAI } from "@ai-sdk/openai"
import { createOpenAICompatible } from "@ai-sdk/openai-compatible"
import { APICallError, Output, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai"
import { ANTHROPIC, CITY, CITY_SCHEMA, HELLO, KEY, MODELS, OPENAI, PIXEL, ROUNDS, SAID, SUM, SUMS, done } from "./play.mjs"

const openai = createOpenAI({ baseURL: OPENAI, apiKey: KEY })
const anthropic = createAnthropic({ baseURL: `${ANTHROPIC}/v1`, apiKey: KEY })
const compatible = createOpenAICompatible({ name: "aichat", baseURL: OPENAI, apiKey: KEY })
const inputSchema = jsonSchema({
  type: "object",
  properties: { a: { type: "number" }, b: { type: "number" } },
  required: ["a", "b"],
  additionalProperties: false,
})

// A city as the schema says. Through Anthropic's API this client asks for one tool call at a time.
async function answersBySchema(model) {
  const city = await generateText({ model, maxRetries: 0, prompt: CITY, output: Output.object({ schema: jsonSchema(CITY_SCHEMA) }) })
  assert.deepEqual(city.output, { name: "Oslo", people: 700000 })
}

async function works(model) {
  const once = { model, maxRetries: 0 }
  const whole = await generateText({ ...once, prompt: HELLO })
  assert.equal(whole.text, SAID)
  assert.ok(whole.usage.outputTokens > 0)

  const stream = streamText({ ...once, prompt: HELLO })
  assert.equal(await stream.text, SAID)

  const sums = []
  const add = tool({ description: "Adds.", inputSchema, execute: ({ a, b }) => (sums.push(a + b), a + b) })
  const added = await generateText({ ...once, prompt: ROUNDS, tools: { add }, stopWhen: stepCountIs(6) })
  assert.equal(added.text, SUM)
  assert.deepEqual(sums, SUMS)

  const content = [{ type: "text", text: "What is this?" }, { type: "file", mediaType: "image/png", data: PIXEL }]
  assert.ok((await generateText({ ...once, messages: [{ role: "user", content }] })).text)
}

for (const model of MODELS) {
  await works(openai.chat(model))
  await answersBySchema(openai.chat(model))
  done("chat", model)
  await works(openai(model))
  await answersBySchema(openai(model))
  done("responses", model)
  await works(anthropic(model))
  await answersBySchema(anthropic(model))
  done("messages", model)
  const { text } = await generateText({ model: compatible(model), prompt: HELLO, maxRetries: 0 })
  assert.equal(text, SAID)
  done("compatible", model)
}

await assert.rejects(generateText({ model: openai.chat("no-such-model"), prompt: "Hi", maxRetries: 0 }), (error) => {
  assert.ok(APICallError.isInstance(error))
  assert.equal(error.statusCode, 404)
  return true
})
done("error")
