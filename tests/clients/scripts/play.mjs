// What every client is asked, with each vendor's model: as in play.py.
export const ENDPOINT = `http://${process.env.AICHAT_ENDPOINT}`
export const KEY = process.env.AICHAT_API_KEY
export const OPENAI = `${ENDPOINT}/openai/v1`
export const ANTHROPIC = `${ENDPOINT}/anthropic`
export const MODELS = ["claude-haiku-5-5", "gpt-6-luna", "gemini-3.5-flash-lite"]
export const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

const script = (how) => `#script ${JSON.stringify(how)}`

export const HELLO = script({ deltas: ["Hello ", "there."] })
export const SAID = "Hello there."
export const ROUNDS = script({
  rounds: [
    { tools: [{ name: "add", arguments: { a: 1, b: 2 } }] },
    { tools: [{ name: "add", arguments: { a: 3, b: 3 } }] },
    { tools: [{ name: "add", arguments: { a: 6, b: 4 } }] },
    { deltas: ["The sum ", "is 10."] },
  ],
})
export const SUM = "The sum is 10."
export const SUMS = [3, 6, 10]
export const CITY = script({ deltas: ['{"name": "Oslo", ', '"people": 700000}'] })
export const CITY_SCHEMA = {
  type: "object",
  properties: { name: { type: "string" }, people: { type: "integer" } },
  required: ["name", "people"],
  additionalProperties: false,
}

export const done = (...names) => console.log("ok", ...names)
