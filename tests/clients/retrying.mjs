// openai-node: answers each text of the list in its input by a streamed response, and writes the list of answers.
// What breaks off is asked again, as an application does.
import OpenAI from "openai";

const [, , baseURL, apiKey, model, atOnce] = process.argv;
const client = new OpenAI({ baseURL, apiKey, maxRetries: 10 });
const texts = JSON.parse(await new Response(process.stdin).text());
const answers = Array(texts.length).fill("");

async function answer(input) {
  let text = "";
  const stream = await client.responses.create({ model, input, stream: true, store: false });
  for await (const event of stream) {
    if (event.type === "response.output_text.delta") text += event.delta;
  }
  return text;
}

async function work() {
  while (next < texts.length) {
    const place = next++;
    for (;;) {
      try {
        answers[place] = await answer(texts[place]);
        break;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 200 + 450 * Math.random()));
      }
    }
  }
}

let next = 0;
await Promise.all(Array.from({ length: Number(atOnce) }, work));
console.log(JSON.stringify(answers));
