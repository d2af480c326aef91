// A row of all methods: a click makes it the large one.
element.addEventListener("click", (event) => {
  const row = event.target.closest("button[data-method]");
  if (!row) return;
  trigger("select", { method: row.dataset.method });
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  document.getElementById("stage")
    ?.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
});
