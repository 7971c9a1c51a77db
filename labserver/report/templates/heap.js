// Draws the icicle from the data that stands in the page. Without it the tree of the same groups is there.
(() => {
  const ROW = 31; // px; the style sheet's blocks are a little less high
  const NARROWEST = 2; // px
  const LETTERED = 30; // px: a narrower block has no room for its margins
  const figure = document.getElementById("icicle");
  const place = figure.querySelector(".heap-icicle");
  const detail = figure.querySelector(".flame-detail");
  const shown = figure.querySelector("output");
  const rest = detail.textContent;

  const expand = ([name, bytes, count, parts], above, depth) => {
    const block = { name, bytes, count, above, depth };
    block.parts = parts.map((part) => expand(part, block, depth + 1));
    return block;
  };
  const whole = expand(JSON.parse(document.getElementById("heap-data").textContent), null, 0);
  let focus = whole;

  const label = ({ name, count }) => (count > 1 && name !== whole.name ? `${name} × ${count.toLocaleString("en-US")}` : name);
  const amount = (bytes) => `${bytes.toLocaleString("en-US")} B, ${((100 * bytes) / whole.bytes).toFixed(1)} %`;
  const path = (block) => (block.above ? [...path(block.above), label(block)] : [label(block)]);

  let lowest = 0;
  const draw = (block, left, width, width_px) => {
    if (width * width_px < NARROWEST) return;
    lowest = Math.max(lowest, block.depth);
    const drawn = document.createElement("div");
    const above = block.depth < focus.depth;
    drawn.className = `${block.count ? `shade-${block.depth % 5}` : "small"}${above ? " above" : ""}`;
    drawn.style.left = `${100 * left}%`;
    drawn.style.width = `${100 * width}%`;
    drawn.style.top = `${ROW * block.depth}px`;
    if (width * width_px < LETTERED) drawn.style.padding = "0";
    else drawn.textContent = label(block);
    drawn.title = `${path(block).join(" → ")}\n${amount(block.bytes)}`;
    drawn.addEventListener("click", () => zoom(block));
    drawn.addEventListener("mouseenter", () => {
      detail.textContent = `${path(block).slice(1).join(" → ") || block.name}: ${amount(block.bytes)}`;
    });
    place.append(drawn);
    if (above) return;
    let from = left;
    for (const part of block.parts) {
      const share = (width * part.bytes) / block.bytes;
      draw(part, from, share, width_px);
      from += share;
    }
  };
  const zoom = (block) => {
    focus = block;
    lowest = 0;
    place.replaceChildren();
    for (let above = block.above; above; above = above.above) draw(above, 0, 1, place.clientWidth);
    draw(block, 0, 1, place.clientWidth);
    place.style.height = `${ROW * (lowest + 1)}px`;
    shown.textContent = `${label(block)}: ${amount(block.bytes)}`;
  };

  figure.hidden = false;
  zoom(whole);
  place.addEventListener("mouseleave", () => {
    detail.textContent = rest;
  });
  figure.querySelector("button").addEventListener("click", () => zoom(whole));
  new ResizeObserver(() => zoom(focus)).observe(figure);
})();
