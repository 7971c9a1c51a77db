// A job's journey: the photographs are sent, the job is asked for, the face is fetched.

import { NoAnswer, ask, wordsOf } from "./http.js";
import {
  BACK_OFF_AT_MOST_S,
  FIRST_POLL_S,
  LONGEST_WAIT_S,
  POLLS_AT_MOST,
  POLL_EVERY_S,
  RESUBMIT_S,
  SUBMITS_AT_MOST,
  UPLOAD_WITHIN_S,
} from "./limits.js";
import { wait } from "./wait.js";

// The journey ended without a face: why, in words, and whether asking for the same job may still help.
export class Ended extends Error {
  constructor(title, words, { mayAskAgain = false, part = null } = {}) {
    super(words);
    Object.assign(this, { title, mayAskAgain, part });
  }
}

const isBusy = ({ status }) => status === 503 || status === 429;

// Sends the photographs, and returns the job's id. A full server is given the time that it asks for; a request
// without an answer is not sent again by itself, for the photographs may have arrived.
export async function submit(photos, { signal, tell }) {
  for (let attempt = 1; ; attempt += 1) {
    tell.state("SENDING", "The photographs are being sent.");
    tell.count("");
    const answer = await send(photos, signal);
    if (answer.status === 202 && answer.body?.jobId) return answer.body.jobId;
    if (!isBusy(answer)) throw refused(answer);
    const seconds = Math.max(RESUBMIT_S, answer.retryAfterS);
    if (seconds > LONGEST_WAIT_S) throw comeBackLater(answer);
    if (attempt === SUBMITS_AT_MOST) {
      throw new Ended("The server is still busy", `${wordsOf(answer)} It refused the photographs ${attempt} times.`);
    }
    tell.state("BUSY", `${wordsOf(answer)} They are sent again in ${Math.ceil(seconds)} seconds.`);
    const tick = (left) => tell.count(`Attempt ${attempt + 1} of ${SUBMITS_AT_MOST} in ${left} s`);
    await wait(seconds, { signal, tick });
  }
}

// Asks for the job until it has ended, at most POLLS_AT_MOST times, and returns its face.
export async function follow(jobId, { signal, tell }) {
  let delayS = FIRST_POLL_S;
  let unanswered = 0;
  for (let poll = 1; poll <= POLLS_AT_MOST; poll += 1) {
    await wait(delayS, { signal, tick: (left) => tell.count(`Question ${poll} of ${POLLS_AT_MOST} in ${left} s`) });
    tell.count(`Question ${poll} of ${POLLS_AT_MOST}`);
    const { face, retryAfterS = 0, answered } = await look(jobId, { signal, tell });
    if (face) return face;
    unanswered = answered ? 0 : unanswered + 1;
    const usualS = Math.min(POLL_EVERY_S * 2 ** unanswered, BACK_OFF_AT_MOST_S);
    delayS = Math.max(usualS, retryAfterS);
  }
  throw gaveUp(unanswered);
}

async function send(photos, signal) {
  try {
    const body = new FormData();
    for (const [part, file] of Object.entries(photos)) body.append(part, file);
    return await ask("api/images/analyze", { method: "POST", body, signal, withinS: UPLOAD_WITHIN_S });
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    throw new Ended("The server did not answer", "It may or may not have received the photographs.");
  }
}

// One question: returns the face, or when to ask again.
async function look(jobId, { signal, tell }) {
  try {
    const answer = await ask(`api/images/status/${encodeURIComponent(jobId)}`, { signal });
    if (!answer.ok || answer.body === null) return tryLater(answer, tell);
    const { status, error } = answer.body;
    if (status === "FAILED") throw new Ended("The job failed", error || "The server gave no reason.");
    if (status !== "DONE") {
      tell.state(status, status === "RUNNING" ? "The face is being composed." : "The job waits for its turn.");
      return { answered: true, retryAfterS: answer.retryAfterS };
    }
    const result = await ask(`api/images/result/${encodeURIComponent(jobId)}`, { signal });
    return result.ok && result.body ? { face: result.body } : tryLater(result, tell);
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    tell.state("NO ANSWER", "The server does not answer. It is asked again, less and less often.");
    return { answered: false };
  }
}

function tryLater(answer, tell) {
  if (answer.status === 404) {
    throw new Ended(
      "The server does not know this job",
      "It was probably restarted since: jobs are kept in its memory only. Submit the photographs again.",
    );
  }
  if (answer.status === 410) throw new Ended("The job is gone", wordsOf(answer));
  if (answer.retryAfterS > LONGEST_WAIT_S) throw comeBackLater(answer, { mayAskAgain: true });
  tell.state("BUSY", wordsOf(answer));
  return { answered: true, retryAfterS: answer.retryAfterS };
}

// The server names a photograph by its part of the form; the page shows the words at that photograph.
function refused(answer) {
  const [, part = null, words] = /^(?:Part '(\w+)': )?(.*)$/s.exec(wordsOf(answer));
  return new Ended("The photographs were not taken", words, { part });
}

function comeBackLater(answer, options) {
  const minutes = Math.ceil(answer.retryAfterS / 60);
  return new Ended("The server asks to come back later", `${wordsOf(answer)} Try again in ${minutes} minutes.`, options);
}

function gaveUp(unanswered) {
  const words = unanswered
    ? "The server does not answer. The job may be done by the time that it does."
    : "The job had not ended by then. It may still run, and its face can be asked for again.";
  return new Ended(`No face after ${POLLS_AT_MOST} questions`, words, { mayAskAgain: true });
}
