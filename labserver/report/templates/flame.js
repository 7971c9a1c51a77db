// Draws the flame graph from the data that stands in the page. Without it the table of the same stacks is there.
(() => {
  const ROW = 22; // px; the style sheet's labels are as high
  const figure = document.getElementById("flame");
  const place = figure.querySelector(".flame-graph");
  const { frames, tree } = JSON.parse(document.getElementById("flame-data").textContent);
  const whole = tree[1];

  const expand = ([at, value, callees]) => {
    const [name, where, origin] = at < 0 ? ["everything", "", "all"] : frames[at];
    const children = callees.map(expand);
    const depth = 1 + Math.max(0, ...children.map((callee) => callee.depth));
    return { name: name && where ? `${name}  ${where}` : name || where, origin, value, children, depth };
  };
  const amount = (bytes) => `${bytes.toLocaleString("en-US")} B, ${((100 * bytes) / whole).toFixed(1)} %`;
  const title = ({ data }) => `${data.name}: ${amount(data.value)}`;
  const holds = ({ data }, term) => data.name.toLowerCase().includes(term.toLowerCase());

  figure.hidden = false;
  const data = expand(tree);
  const detail = figure.querySelector(".flame-detail");
  const rest = detail.textContent;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const graph = d3FlameGraph
    .flamegraph()
    .width(place.clientWidth)
    .cellHeight(ROW)
    .height(ROW * data.depth)
    .minFrameSize(1)
    .transitionDuration(still ? 0 : 250)
    .inverted(true)
    .setLabelHandler(title)
    .setColorMapper((node) => `var(--flame-${node.highlight ? "found" : node.data.origin})`)
    .setDetailsHandler((text) => {
      detail.textContent = text || rest;
    })
    .setSearchMatch(holds)
    .setSearchHandler((_, bytes) => {
      figure.querySelector("output").textContent = `found in ${amount(bytes)}`;
    });
  d3FlameGraph.select(place).datum(data).call(graph);
  if (still) graph.onClick(() => graph.update()).update(); // blocks that come grow all the same, unless updated at once
  place.querySelector("svg").setAttribute("aria-hidden", "true"); // the table says the same

  new ResizeObserver(() => {
    if (place.clientWidth !== graph.width()) graph.width(place.clientWidth).update();
  }).observe(place);
  figure.querySelector("input").addEventListener("input", ({ target }) => {
    if (target.value.trim()) return graph.search(target.value.trim());
    figure.querySelector("output").textContent = "";
    return graph.clear();
  });
  figure.querySelector("button").addEventListener("click", () => graph.resetZoom());
})();
