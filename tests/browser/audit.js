// Looks at the page as it stands and returns what is wrong with it, one sentence each.
() => {
  const wrong = [];
  const isShown = (element) => element.checkVisibility() && element.getBoundingClientRect().left > -50;

  const parse = (color) => {
    if (/^#[\da-f]{6}$/i.test(color)) return [...[1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16)), 1];
    const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
    return color.startsWith("color(") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((tone, i) => tone * a + below[i] * (1 - a));
  const backgroundOf = (element) => {
    if (element === null) return [255, 255, 255];
    const color = parse(getComputedStyle(element).backgroundColor);
    return color[3] === 1 ? color.slice(0, 3) : over(color, backgroundOf(element.parentElement));
  };
  // WCAG 2.2's relative luminance and contrast ratio.
  const luminance = (rgb) =>
    rgb
      .map((tone) => tone / 255)
      .map((tone) => (tone <= 0.04045 ? tone / 12.92 : ((tone + 0.055) / 1.055) ** 2.4))
      .reduce((sum, tone, i) => sum + tone * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (color, below) => {
    const [dark, light] = [luminance(over(parse(color), below)), luminance(below)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const expectContrast = (least, color, below, what) => {
    const ratio = contrast(color, below);
    if (ratio < least) wrong.push(`${what} has a contrast of ${ratio.toFixed(2)}, less than ${least}`);
  };
  const nameOf = (element) =>
    (
      element.getAttribute("aria-label") ||
      element.getAttribute("alt") ||
      [...(element.labels ?? [])].map((label) => label.textContent).join(" ") ||
      element.textContent
    ).trim();
  const what = (element) => `<${element.tagName.toLowerCase()}${element.id && ` id=${element.id}`}> ${nameOf(element)}`;

  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let checked = 0;
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (texts.currentNode.data.trim() === "" || !isShown(element) || ["SCRIPT", "NOSCRIPT"].includes(element.tagName)) continue;
    expectContrast(4.5, getComputedStyle(element).color, backgroundOf(element), what(element));
    checked += 1;
  }
  if (checked < 10) wrong.push(`only ${checked} texts were looked at`);

  for (const element of document.querySelectorAll("a, button, input, img, svg")) {
    if (!isShown(element)) continue;
    if (nameOf(element) === "") wrong.push(`${what(element)} has no name`);
    if (!element.matches("a, button, input")) continue;
    const { width, height } = element.getBoundingClientRect();
    if (!element.matches("p > a") && Math.min(width, height) < 24) wrong.push(`${what(element)} is too small to hit`);
    if (element.tabIndex !== 0) wrong.push(`${what(element)} is out of the keyboard's order`);
    const { borderColor, borderWidth } = getComputedStyle(element);
    const below = backgroundOf(element.parentElement);
    if (element.matches("button, .button") && borderWidth !== "0px") expectContrast(3, borderColor, below, `${what(element)}, its border`);
    expectContrast(3, getComputedStyle(document.documentElement).getPropertyValue("--focus"), below, "the focus ring");
  }
  for (const element of document.querySelectorAll("[aria-describedby], [aria-labelledby]")) {
    const ids = `${element.getAttribute("aria-describedby") ?? ""} ${element.getAttribute("aria-labelledby") ?? ""}`;
    for (const id of ids.split(" ").filter(Boolean)) if (!document.getElementById(id)) wrong.push(`${what(element)} refers to no ${id}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
  if (new Set(ids).size < ids.length) wrong.push("an id is used twice");
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].map(({ tagName }) => Number(tagName[1]));
  if (levels[0] !== 1 || levels.some((level, i) => level > (levels[i - 1] ?? 0) + 1)) wrong.push(`headings go ${levels}`);
  for (const landmark of ["header", "main", "footer"])
    if (document.querySelectorAll(`body > ${landmark}`).length !== 1) wrong.push(`there is not one ${landmark}`);
  if (document.documentElement.lang === "" || document.title === "") wrong.push("no language or title");
  if (document.documentElement.scrollWidth > innerWidth) wrong.push(`the page is ${document.documentElement.scrollWidth} wide in a window of ${innerWidth}`);
  return wrong;
}
