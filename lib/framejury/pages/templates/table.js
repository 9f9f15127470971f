"use strict";
// Sorts, searches and filters the verdict table by moving and hiding rows. It never reads or writes
// markup, so any name in a row stays text.
(() => {
  const table = document.querySelector("table.verdicts");
  const controls = document.querySelector("[data-controls]");
  if (!table || !controls) return;
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const place = new Map(heads.map((head, index) => [head.dataset.key, index]));
  const search = controls.querySelector("input[type=search]");
  const choices = [...controls.querySelectorAll("select[data-filter]")];
  const status = controls.querySelector("[data-shown]");
  const nothing = document.querySelector("[data-nothing]");
  const words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  const lines = [...body.rows].map((row, rank) => ({
    row,
    rank,
    text: row.textContent.replace(/\s+/g, " ").toLowerCase(),
    values: [...row.cells].map((cell) => cell.dataset.value ?? cell.textContent.trim()),
    keys: [...row.cells].map((cell) => cell.dataset.sort ?? cell.textContent.trim()),
  }));
  let order = "";

  function announce() {
    const shown = lines.filter((line) => !line.row.hidden).length;
    const all = lines.length.toLocaleString("en");
    nothing.hidden = shown > 0;
    status.textContent = `${shown.toLocaleString("en")} of ${all} shown${order}`;
  }

  function filter() {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = choices
      .filter((choice) => choice.value !== "")
      .map((choice) => [place.get(choice.dataset.filter), choice.value]);
    for (const line of lines) {
      line.row.hidden = !(
        wanted.every((word) => line.text.includes(word)) &&
        chosen.every(([index, value]) => line.values[index] === value)
      );
    }
    announce();
  }

  function compare(index, isNumber, sign) {
    return (one, other) => {
      const [a, b] = [one.keys[index], other.keys[index]];
      if ((a === "") !== (b === "")) return a === "" ? 1 : -1; // missing values come last
      const by = isNumber ? Number(a) - Number(b) : words.compare(a, b);
      return by ? sign * by : one.rank - other.rank;
    };
  }

  function sort(head) {
    const isNumber = head.dataset.kind === "number";
    const now = head.getAttribute("aria-sort");
    const falls = now ? now === "ascending" : isNumber;
    for (const one of heads) one.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falls ? "descending" : "ascending");
    lines.sort(compare(place.get(head.dataset.key), isNumber, falls ? -1 : 1));
    for (const line of lines) body.append(line.row);
    order = `, sorted by ${head.textContent.trim()}, ${falls ? "descending" : "ascending"}`;
    announce();
  }

  function show(key, value) {
    search.value = "";
    for (const choice of choices) choice.value = choice.dataset.filter === key ? value : "";
    filter();
  }

  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(head));
  }
  for (const link of document.querySelectorAll("a[data-show]")) {
    const [key, value] = link.dataset.show.split(":");
    if (choices.some((choice) => choice.dataset.filter === key)) {
      link.addEventListener("click", () => show(key, value));
    }
  }
  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 120); // a screen reader announces the result, not each letter
  });
  for (const choice of choices) choice.addEventListener("change", filter);
  for (const button of document.querySelectorAll("[data-reset]")) {
    button.addEventListener("click", () => {
      show("", "");
      search.focus();
    });
  }
  // A table that fits its page scrolls with it, and its head stays in view; a wider one scrolls
  // sideways in its own box.
  const box = table.parentElement;
  new ResizeObserver(() => {
    box.classList.toggle("fits", table.scrollWidth <= box.clientWidth);
  }).observe(box);
  controls.hidden = false;
  filter();
})();
