// What is wider than the window scrolls; whoever has no pointer reaches it by keyboard.
"use strict";

function reachWhatScrolls() {
  for (const element of document.querySelectorAll("pre, .table-wrapper, .output, .cell_output, math")) {
    if (element.scrollWidth > element.clientWidth) {
      element.tabIndex = 0;
    } else {
      element.removeAttribute("tabindex");
    }
  }
}

addEventListener("DOMContentLoaded", reachWhatScrolls);
addEventListener("load", reachWhatScrolls);
addEventListener("resize", reachWhatScrolls);
