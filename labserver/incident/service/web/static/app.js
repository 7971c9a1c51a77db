// The page's wiring: what is pressed begins a journey, what the journey tells is shown.

import { HeapView } from "./heap.js";
import { Ended, follow, submit } from "./job.js";
import { FORM_BYTES } from "./limits.js";
import { Picker, Picture } from "./photos.js";
import { inBytes } from "./words.js";

const $ = (id) => document.getElementById(id);
const mostBytes = Number(document.querySelector('meta[name="most-upload-bytes"]').content);
const pickers = [...document.querySelectorAll(".picker")].map(
  (element) => new Picker(element, { mostBytes, onChange: invite }),
);
const facePicture = new Picture($("face").querySelector("img"));
const heap = new HeapView({ status: $("heap-status"), curves: $("curves"), legend: $("heap-legend") });
let running = null; // the AbortController of the journey under way
let jobId = null; // of the last job that the server took

const tell = {
  state(state, words) {
    if ($("words").textContent === words) return; // said already: a live region would say it again
    $("state").textContent = state;
    $("state").dataset.state = state;
    $("state").hidden = state === "";
    $("words").textContent = words;
  },
  count(words) {
    $("count").textContent = words;
  },
};

// Begins a journey, which ends the one before it, and shows how it ends.
async function begin(journey) {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  setBusy(true);
  clear();
  try {
    const face = await journey({ signal: mine.signal, tell });
    if (running === mine) await showFace(face);
  } catch (error) {
    if (running !== mine) return;
    showEnd(mine.signal.aborted ? stopped() : error);
  }
  if (running === mine) {
    running = null;
    setBusy(false);
  }
}

const submitAndFollow = async (options) => {
  jobId = null;
  jobId = await submit(Object.fromEntries(pickers.map(({ part, file }) => [part, file])), options);
  tell.state("PENDING", "The server has taken the job.");
  return follow(jobId, options);
};

const followAgain = (options) => {
  tell.state("PENDING", "The server is asked again for the same job.");
  return follow(jobId, options);
};

function submitAnew() {
  const wrong = pickers.filter((picker) => !picker.check());
  if (wrong.length > 0) {
    wrong[0].focus();
    return;
  }
  const bytes = pickers.reduce((sum, { file }) => sum + file.size, FORM_BYTES);
  if (bytes > mostBytes) {
    pickers[1].complain(`Both together have ${inBytes(bytes)}, more than the ${inBytes(mostBytes)} that the server takes.`);
    pickers[1].focus();
    return;
  }
  begin(submitAndFollow);
}

function invite() {
  if (running !== null || !$("problem").hidden || !$("face").hidden) return;
  const ready = pickers.every(({ file }) => file !== null);
  tell.state("", ready ? "Ready to compose the face." : "Choose two photographs.");
}

function clear() {
  // A control that disappears must not take the keyboard's place in the page with it.
  if ($("problem").contains(document.activeElement)) $("stop").focus();
  $("problem").hidden = true;
  $("face").hidden = true;
  $("download").removeAttribute("href");
  facePicture.clear();
}

function setBusy(busy) {
  if (!busy && document.activeElement === $("stop")) ($("face").hidden ? $("submit-again") : $("download")).focus();
  $("stop").hidden = !busy;
  $("progress").classList.toggle("busy", busy);
  if (!busy) tell.count("");
}

async function showFace(blob) {
  const url = await facePicture.show(blob).catch(() => {
    throw new Ended("The face cannot be shown", "What the server sent is no image.", { mayAskAgain: true });
  });
  const { naturalWidth, naturalHeight } = $("face").querySelector("img");
  $("face-size").textContent = `${naturalWidth} × ${naturalHeight} pixels, ${inBytes(blob.size)}`;
  $("download").href = url;
  $("face").hidden = false;
  tell.state("DONE", "The face is composed.");
}

function showEnd(error) {
  if (!(error instanceof Ended)) console.error(error);
  const end = error instanceof Ended ? error : new Ended("Something went wrong in this page", String(error));
  tell.state(end.title === "The job failed" ? "FAILED" : "ENDED", `${end.title}.`);
  $("problem-words").textContent = end.message;
  $("ask-again").hidden = !(end.mayAskAgain && jobId !== null);
  $("submit-again").hidden = false;
  $("problem").hidden = false;
  pickers.find(({ part }) => part === end.part)?.complain(end.message);
}

function stopped() {
  return new Ended("Stopped", "Nothing is asked any more. The job itself may still run.", { mayAskAgain: true });
}

$("limit").textContent = inBytes(mostBytes);
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  submitAnew();
});
$("submit-again").addEventListener("click", submitAnew);
$("ask-again").addEventListener("click", () => begin(followAgain));
$("stop").addEventListener("click", () => running?.abort());

// Whoever leaves the page asks for nothing more; who comes back to it, out of the browser's cache, finds it stopped.
addEventListener("pagehide", () => {
  running?.abort();
  heap.pause();
});
addEventListener("pageshow", () => heap.resume());
document.addEventListener("visibilitychange", () => (document.hidden ? heap.pause() : heap.resume()));
heap.resume();
