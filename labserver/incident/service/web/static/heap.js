// The live view of the server's memory, read from its diagnostics for as long as the page is looked at.

import { Curve } from "./curve.js";
import { NoAnswer, ask } from "./http.js";
import { BACK_OFF_AT_MOST_S, CURVE_S, READING_WITHIN_S, READ_EVERY_S } from "./limits.js";
import { wait } from "./wait.js";
import { inBytes, inNumber, inTime } from "./words.js";

const STATES = ["PENDING", "RUNNING", "DONE", "FAILED"];
const FIGURES = [
  { id: "used", title: "Heap in use", metric: "jvm.memory.used?tag=area:heap", words: inBytes, fromZero: false },
  { id: "kept", title: "Images kept", metric: "labserver.kept", words: inBytes, atLeast: 1024 },
  { id: "jobs", title: "Jobs kept", metric: "labserver.jobs", words: inNumber, whole: true },
  { id: "oldest", title: "Oldest result", metric: "labserver.kept.oldest", words: inTime, atLeast: 10 },
];

class NotPublic extends Error {}

export class HeapView {
  #places;
  #curves;
  #readings = []; // {at, figures}, without figures where the server did not answer
  #controller = null;

  constructor(places) {
    this.#places = places;
    this.#curves = FIGURES.map((figure) => new Curve(places.curves, figure));
  }

  resume() {
    if (this.#controller !== null || document.hidden) return;
    this.#controller = new AbortController();
    this.#follow(this.#controller.signal);
  }

  // Nothing is asked until `resume`; what was missed stays a gap.
  pause() {
    this.#controller?.abort();
    this.#controller = null;
  }

  async #follow(signal) {
    try {
      for (let missed = 0; ; ) {
        const figures = await readFigures(signal);
        missed = figures === null ? missed + 1 : 0;
        this.#add(figures);
        await wait(Math.min(READ_EVERY_S * 2 ** missed, BACK_OFF_AT_MOST_S), { signal });
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof NotPublic)) console.error(error);
      this.#hide(error);
    }
  }

  #add(figures) {
    const now = performance.now() / 1000;
    this.#readings.push({ at: now, figures });
    // One reading before the window, from which the curve comes in.
    while (this.#readings.length > 1 && this.#readings[1].at < now - CURVE_S) this.#readings.shift();
    for (const curve of this.#curves) curve.draw(this.#readings, now);
    this.#places.curves.hidden = !this.#readings.some((reading) => reading.figures !== null);
    this.#places.legend.hidden = !this.#curves.some((curve) => curve.hasGaps);
    this.#say(figures);
  }

  #say(figures) {
    const words = figures === null ? `No answer since ${this.#lastAnswer()}. The server is asked again, less and less often.` : "Live";
    // A live region says again what is set again.
    if (this.#places.status.textContent !== words) this.#places.status.textContent = words;
    this.#places.status.classList.toggle("live", figures !== null);
  }

  #lastAnswer() {
    const since = this.#readings.findLast((reading) => reading.figures !== null);
    if (since === undefined) return "the page was opened";
    return new Date(Date.now() - (performance.now() - since.at * 1000)).toLocaleTimeString("en-GB");
  }

  #hide(error) {
    this.#places.curves.hidden = true;
    this.#places.legend.hidden = true;
    this.#places.status.classList.remove("live");
    this.#places.status.textContent =
      error instanceof NotPublic
        ? "This view is not public: the server shows its memory on its own machine only."
        : "This view met an error and has stopped.";
  }
}

// All figures of about one moment, over one connection; null where the server did not answer.
async function readFigures(signal) {
  try {
    const figures = { states: {} };
    for (const state of STATES) figures.states[state] = await read(`labserver.jobs?tag=state:${state}`, signal);
    for (const { id, metric } of FIGURES) figures[id] = await read(metric, signal);
    return figures;
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    return null;
  }
}

// A metric's value, or null where the server's host does not measure it.
async function read(metric, signal) {
  const answer = await ask(`actuator/metrics/${metric}`, { signal, withinS: READING_WITHIN_S });
  const isOptional = metric.startsWith("jvm.");
  if (answer.status === 404 && isOptional) return null;
  if ([401, 403, 404].includes(answer.status)) throw new NotPublic(metric);
  const value = answer.body?.measurements?.[0]?.value;
  if (!answer.ok || typeof value !== "number") throw new NoAnswer(metric);
  return value;
}
