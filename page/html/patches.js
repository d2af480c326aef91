// What a picked patch met in the other photo: its row (or column) of K, drawn over both faces.
() => {
  const SVG = "http://www.w3.org/2000/svg";
  let picked = null;

  const mark = (group, kind, attributes, name) => {
    const shape = document.createElementNS(SVG, kind);
    Object.entries(attributes).forEach(([key, value]) => shape.setAttribute(key, value));
    shape.setAttribute("class", name);
    group.append(shape);
  };

  const draw = () => {
    const bars = picked?.holder.querySelector("[data-facts]");
    if (!bars) return;
    const facts = JSON.parse(bars.dataset.facts);
    const { holder, side, patch } = picked;
    const other = side === "a" ? "b" : "a";
    const count = facts.grid ** 2;
    const met = [...Array(count).keys()].map(
      (j) => facts.unit * facts.k[side === "a" ? patch * count + j : j * count + patch]);
    const best = met.indexOf(Math.max(...met));
    const place = (i) => [(i % facts.grid) * facts.stride, Math.floor(i / facts.grid) * facts.stride];
    const square = (group, i, name) => {
      const [x, y] = place(i);
      const inset = 0.75;
      const width = facts.size - 2 * inset;
      mark(group, "rect", { x: x + inset, y: y + inset, width, height: width, rx: 1.5 }, name);
    };
    const [here, there] = [side, other].map((s) => holder.querySelector(`[data-marks=${s}]`));
    if (!here || !there) return;
    [here, there].forEach((group) => group.replaceChildren());
    square(here, patch, "picked");
    const peak = Math.max(...met.map(Math.abs)) || 1;
    met.forEach((value, j) => {
      const [x, y] = place(j);
      const r = (facts.stride / 2 - 0.3) * Math.sqrt(Math.abs(value) / peak);
      mark(there, "circle", { cx: x + facts.size / 2, cy: y + facts.size / 2, r },
        value < 0 ? "against" : "for");
    });
    square(there, best, "best");
    const signed = (v) => (v < 0 ? "−" : "+") + Math.abs(v).toFixed(4);
    const sides = { a: "first", b: "second" };
    holder.querySelector(".xfv-match").textContent =
      `This patch of the ${sides[side]} photo (${facts.places[side][patch]}) adds ` +
      `${signed(facts[side][patch])} to the similarity. Dots: what it gains (green) or loses ` +
      `(pink) at each patch of the ${sides[other]} photo; the most, ${signed(met[best])}, at the ` +
      `outlined one (${facts.places[other][best]}).`;
    holder.querySelectorAll("button[data-patch]").forEach((button) => button.setAttribute(
      "aria-pressed", button.dataset.side === side && Number(button.dataset.patch) === patch));
  };

  // what shows maps stays, what it shows is replaced: by another pair, or by a better view of it
  const watched = new WeakSet();
  const watch = (holder) => {
    if (watched.has(holder)) return;
    watched.add(holder);
    let known = holder.querySelector("[data-facts]")?.dataset.facts;
    new MutationObserver(() => {
      const now = holder.querySelector("[data-facts]")?.dataset.facts;
      if (now !== known && picked?.holder === holder) picked = null;
      known = now;
      if (picked?.holder === holder && !holder.querySelector(".marks > *")) draw();
    }).observe(holder, { childList: true, subtree: true });
  };
  document.addEventListener("click", (event) => {
    const target = event.target.closest?.("[data-patch]");
    const holder = target?.closest(".xfv-holder");
    if (!holder) return;
    watch(holder);
    picked = { holder, side: target.dataset.side, patch: Number(target.dataset.patch) };
    draw();
  });
}
