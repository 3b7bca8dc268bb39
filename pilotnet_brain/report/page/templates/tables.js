"use strict";

/* A head sorts its column: numbers as numbers, what was not measured last. */
function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortRows(table.tBodies[0], column, descending);
    });
  });
}

function sortRows(body, column, descending) {
  const sign = descending ? -1 : 1;
  const keys = [...body.rows].map((row) => {
    const cell = row.cells[column];
    const text = cell.textContent.trim();
    return {
      row, text,
      number: cell.dataset.number === undefined ? NaN : Number(cell.dataset.number),
      missing: text === "–" || text === "",
    };
  });
  keys.sort((a, b) => {
    if (a.missing !== b.missing) return a.missing ? 1 : -1;
    const byNumber = Number.isNaN(a.number) - Number.isNaN(b.number);
    if (byNumber) return byNumber;
    if (!Number.isNaN(a.number)) return sign * (a.number - b.number);
    return sign * a.text.localeCompare(b.text, "en", { numeric: true });
  });
  body.append(...keys.map((key) => key.row));
}

document.querySelectorAll("table.sortable").forEach(makeSortable);
