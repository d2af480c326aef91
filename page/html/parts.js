// Where the chosen part's strongest channel fires, over both faces.
() => {
  const SVG = "http://www.w3.org/2000/svg";

  const draw = (button) => {
    const list = button.closest("[data-channels]");
    const shown = button.closest(".xfv-holder");
    const maps = JSON.parse(list.dataset.channels)[button.dataset.channel];
    ["a", "b"].forEach((side, i) => {
      const group = shown.querySelector(`[data-channel-map=${side}]`);
      group.replaceChildren();
      maps[i].forEach((row, y) => row.forEach((value, x) => {
        if (value < 0.05) return;
        const dot = document.createElementNS(SVG, "circle");
        Object.entries({ cx: x + 0.5, cy: y + 0.5, r: 0.62 * Math.sqrt(value) })
          .forEach(([key, v]) => dot.setAttribute(key, v));
        group.append(dot);
      }));
    });
    shown.querySelector(".xfv-match").textContent =
      `${button.dataset.name}: dots show where its strongest channel (${button.title}) fires; ` +
      "a full dot is as strong as it gets.";
    list.querySelectorAll("button").forEach((other) =>
      other.setAttribute("aria-pressed", other === button));
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".xfv-holder button[data-channel]");
    if (button) draw(button);
  });
}
