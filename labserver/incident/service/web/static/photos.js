// The two photographs: chosen or dropped, checked, previewed.

import { FORM_BYTES, PHOTO_TYPES } from "./limits.js";
import { inBytes } from "./words.js";

// An image element that shows one blob at a time and lets go of the one before.
export class Picture {
  #image;
  #url = null;

  constructor(image) {
    this.#image = image;
  }

  // Resolves once the blob is shown; rejects where the browser cannot read it as an image.
  async show(blob) {
    this.clear();
    const url = URL.createObjectURL(blob);
    this.#url = url;
    await new Promise((resolve, reject) => {
      this.#image.onload = resolve;
      this.#image.onerror = reject;
      this.#image.src = url;
    });
    this.#image.hidden = false;
    return url;
  }

  clear() {
    this.#image.hidden = true;
    this.#image.onload = this.#image.onerror = null;
    this.#image.removeAttribute("src");
    if (this.#url !== null) URL.revokeObjectURL(this.#url);
    this.#url = null;
  }
}

export class Picker {
  #input;
  #error;
  #picture;
  #unreadable = false;

  constructor(element, { mostBytes, onChange }) {
    this.part = element.dataset.part;
    this.mostBytes = mostBytes;
    this.#input = element.querySelector("input");
    this.#error = element.querySelector(".error");
    this.#picture = new Picture(element.querySelector("img"));
    this.#input.addEventListener("change", () => this.#chosen().then(onChange));
    this.#takeDrops(element);
  }

  get file() {
    return this.#input.files[0] ?? null;
  }

  // Shows what is wrong, and returns whether nothing is.
  check() {
    const words = this.#wrong();
    this.complain(words);
    return words === "";
  }

  complain(words) {
    this.#error.textContent = words;
    this.#input.setAttribute("aria-invalid", String(words !== ""));
  }

  focus() {
    this.#input.focus();
  }

  async #chosen() {
    this.#unreadable = false;
    this.#picture.clear();
    if (this.file === null || !this.check()) return;
    const { file } = this;
    try {
      await this.#picture.show(file);
    } catch {
      if (file !== this.file) return; // another was chosen since
      this.#unreadable = true;
      this.#picture.clear();
      this.check();
    }
  }

  #wrong() {
    const { file } = this;
    if (file === null) return "Choose a photograph.";
    if (!PHOTO_TYPES.includes(file.type)) return `${file.name} is not a JPEG, PNG or WebP image.`;
    if (file.size === 0) return `${file.name} is empty.`;
    if (file.size + FORM_BYTES > this.mostBytes) {
      return `${file.name} has ${inBytes(file.size)}, more than the ${inBytes(this.mostBytes)} that the server takes.`;
    }
    if (this.#unreadable) return `${file.name} cannot be read as an image.`;
    return "";
  }

  #takeDrops(element) {
    const mark = (on) => (event) => {
      event.preventDefault();
      element.classList.toggle("over", on);
    };
    element.addEventListener("dragover", mark(true));
    element.addEventListener("dragleave", mark(false));
    element.addEventListener("drop", (event) => {
      mark(false)(event);
      if (event.dataTransfer.files.length === 0) return;
      const one = new DataTransfer();
      one.items.add(event.dataTransfer.files[0]);
      this.#input.files = one.files;
      this.#input.dispatchEvent(new Event("change"));
    });
  }
}
