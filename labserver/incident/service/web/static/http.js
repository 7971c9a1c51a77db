// Requests to this server, each ending in an answer or in NoAnswer.

import { ANSWER_WITHIN_S } from "./limits.js";

export class NoAnswer extends Error {}

// Returns {status, ok, retryAfterS, body}: a Blob for an image, parsed JSON, or null for whatever else there is.
// Throws NoAnswer where the server did not answer, and the signal's reason where it was aborted.
export async function ask(path, { signal, withinS = ANSWER_WITHIN_S, ...options }) {
  const either = AbortSignal.any([signal, AbortSignal.timeout(withinS * 1000)]);
  try {
    const answer = await fetch(path, { cache: "no-store", signal: either, ...options });
    const { status, ok } = answer;
    return { status, ok, retryAfterS: secondsOf(answer.headers.get("Retry-After")), body: await bodyOf(answer) };
  } catch (error) {
    signal.throwIfAborted();
    throw new NoAnswer("The server does not answer.", { cause: error });
  }
}

// What a problem document (RFC 9457) says in words, or else what there is to say.
export function wordsOf({ status, body }) {
  return body?.detail || body?.title || `The server answered with status ${status}.`;
}

async function bodyOf(answer) {
  const type = answer.headers.get("Content-Type") ?? "";
  if (type.startsWith("image/")) return answer.blob();
  const text = await answer.text();
  if (!type.includes("json")) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// Retry-After is a number of seconds or a date (RFC 9110, 10.2.3).
function secondsOf(value) {
  if (value === null) return 0;
  if (/^\d+$/.test(value)) return Number(value);
  const seconds = (Date.parse(value) - Date.now()) / 1000;
  return seconds > 0 ? seconds : 0;
}
