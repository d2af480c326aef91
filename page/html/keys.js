// Single keys for what is done often; off where somebody unticks them (WCAG 2.1.4).
() => {
  const KEYS = { s: "#swap", c: "#occluder .xfv-cover", a: "#all-methods" };
  const typing = "input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable=true]";
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(typing)) return;
    if (!document.querySelector("#face-a")?.offsetParent) return; // there is no pair, or another tab
    if (document.querySelector("#keys input")?.checked === false) return;
    const methods = document.querySelectorAll("#method input");
    (methods[Number(event.key) - 1] ?? document.querySelector(KEYS[event.key.toLowerCase()] ?? "#none"))?.click();
  });
}
