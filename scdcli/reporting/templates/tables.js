"use strict";
// Tables sort by the column whose head is clicked; numbers begin with the largest.
for (const head of document.querySelectorAll("th[aria-sort]")) {
  head.querySelector("button").addEventListener("click", () => {
    const column = head.cellIndex, numbers = head.classList.contains("num");
    const was = head.getAttribute("aria-sort"), down = was === "none" ? numbers : was === "ascending";
    for (const other of head.parentNode.cells) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = (row) => row.cells[column].dataset.v;
    const compare = numbers ? (a, b) => value(a) - value(b) : (a, b) => value(a).localeCompare(value(b));
    const body = head.closest("table").tBodies[0];
    body.append(...[...body.rows].sort((a, b) => (down ? -compare(a, b) : compare(a, b))));
  });
}
