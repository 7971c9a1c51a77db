// One figure over time: its newest value in words, and a curve that is broken where there was no reading.

import { CURVE_S, READ_EVERY_S } from "./limits.js";
import { inTime } from "./words.js";

const WIDTH = 300;
const HEIGHT = 60;
// How far back a curve goes, as soon as there is more to show.
const SPANS_S = [30, 60, 120, CURVE_S];
// Two readings further apart than this have a gap between them, whatever the reason.
const GAP_S = 2.5 * READ_EVERY_S;

export class Curve {
  hasGaps = false;
  #figure;
  #parts;

  constructor(host, figure) {
    this.#figure = figure;
    this.#parts = build(host, figure);
  }

  // Draws `readings`, {at, figures} in the order of `at`, up to `now`; both in seconds.
  draw(readings, now) {
    const { id, words } = this.#figure;
    const spanS = SPANS_S.find((seconds) => now - readings[0].at <= seconds) ?? CURVE_S;
    const x = (at) => WIDTH * (1 + (at - now) / spanS);
    const points = readings.map(({ at, figures }) => ({ at, x: x(at), value: figures?.[id] ?? null, figures }));
    const known = points.filter(({ value }) => value !== null);
    this.#parts.figure.hidden = known.length === 0;
    if (known.length === 0) return;
    const scale = scaleOf(known.map(({ value }) => value), this.#figure);
    const { runs, gaps } = split(points);
    this.hasGaps = gaps.length > 0;
    this.#parts.line.setAttribute("d", runs.map((run) => pathOf(run, scale)).join(""));
    this.#parts.area.setAttribute("d", runs.map((run) => areaOf(run, scale)).join(""));
    this.#parts.gaps.setAttribute("d", gaps.map(({ from, to }) => `M${from} 0H${to}V${HEIGHT}H${from}Z`).join(""));
    this.#parts.since.textContent = `${inTime(spanS)} ago`;
    this.#write(known.at(-1), scale, words);
  }

  #write({ value, figures }, { low, high }, words) {
    const { now, top, bottom, detail, svg, figure } = this.#parts;
    now.value = String(value);
    now.textContent = words(value);
    top.textContent = words(high);
    bottom.textContent = words(low);
    if (this.#figure.id === "jobs") detail.textContent = byState(figures.states);
    const gaps = this.hasGaps ? ", with gaps" : "";
    svg.setAttribute("aria-label", `${this.#figure.title} over the last minutes: now ${words(value)}, drawn between ${words(low)} and ${words(high)}${gaps}`);
    figure.hidden = false;
  }
}

// Splits the points into runs of readings, and gaps in which there was none.
function split(points) {
  const runs = [];
  const gaps = [];
  let last = null;
  let isBroken = false;
  for (const point of points) {
    if (point.value === null) {
      isBroken = true;
      continue;
    }
    if (last !== null && !isBroken && point.at - last.at <= GAP_S) {
      runs.at(-1).push(point);
    } else {
      if (last !== null) gaps.push({ from: last.x, to: point.x });
      runs.push([point]);
    }
    last = point;
    isBroken = false;
  }
  if (last !== null && isBroken) gaps.push({ from: last.x, to: WIDTH });
  return { runs, gaps };
}

function scaleOf(values, { fromZero = true, whole = false, atLeast = 0 }) {
  const most = Math.max(...values);
  const least = fromZero ? 0 : Math.min(...values);
  // A steady figure is a flat line, not a division by zero.
  const room = Math.max((most - least) * 0.1, fromZero ? 0.1 : most * 0.005);
  const low = fromZero ? 0 : Math.max(0, least - room);
  const high = Math.max(atLeast, whole ? Math.ceil(most + room) : most + room);
  return { low, high, y: (value) => HEIGHT - ((value - low) / (high - low)) * HEIGHT };
}

const pathOf = (run, { y }) => `M${run.map(({ x, value }) => `${x.toFixed(2)} ${y(value).toFixed(2)}`).join("L")}h0.01`;
const areaOf = (run, scale) => `${pathOf(run, scale)}V${HEIGHT}H${run[0].x.toFixed(2)}Z`;

const byState = (states) =>
  Object.entries(states)
    .map(([state, count]) => `${count} ${state.toLowerCase()}`)
    .join(", ");

function build(host, { id, title }) {
  const figure = element("figure", { class: "curve", id: `curve-${id}` });
  const now = element("data", { class: "now" });
  const detail = element("span", { class: "detail" });
  const caption = element("figcaption", {}, [element("span", { class: "title" }, [title]), now, detail]);
  const [line, area, gaps] = ["line", "area", "gap"].map((name) => drawn("path", { class: name }));
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  svg.append(gaps, area, line);
  const [top, bottom] = ["top", "bottom"].map((name) => element("span", { class: name, "aria-hidden": "true" }));
  const since = element("span", {});
  const times = element("div", { class: "times", "aria-hidden": "true" }, [since, element("span", {}, ["now"])]);
  figure.append(caption, element("div", { class: "plot" }, [svg, top, bottom]), times);
  host.append(figure);
  return { figure, now, detail, line, area, gaps, svg, top, bottom, since };
}

function element(name, attributes, children = []) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawn(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
