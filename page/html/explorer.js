// A page of pairs: one opens a pair, the arrows turn the page.
element.addEventListener("click", (event) => {
  const pair = event.target.closest("[data-row]");
  const turn = event.target.closest("[data-page]");
  if (pair) {
    element.querySelectorAll("[data-row]").forEach((other) =>
      other.setAttribute("aria-pressed", other === pair));
    trigger("select", { row: Number(pair.dataset.row) });
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    document.getElementById("explorer-method")
      ?.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
  } else if (turn) {
    trigger("input", { page: Number(turn.dataset.page) });
  }
});
