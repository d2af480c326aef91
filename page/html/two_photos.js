// What is shown and what is asked for: every change counts up, and whatever answers an older
// question goes grey at once, however late it comes.
() => {
  const asked = { pair: 1, turn: 1 };
  const stage = () => document.getElementById("stage");

  const answers = "#stage [data-pair], #references [data-pair]";
  const age = () => document.querySelectorAll(answers).forEach((piece) => {
    const old = Number(piece.dataset.pair) !== asked.pair ||
      ("turn" in piece.dataset && Number(piece.dataset.turn) !== asked.turn);
    if (old && piece.dataset.state !== "stale") piece.dataset.state = "stale";
  });

  let chosen = "";
  const choose = () => document.querySelectorAll("[id^=options-]").forEach((options) =>
    options.classList.toggle("chosen", options.id === `options-${chosen}`));

  window.xfv = {
    key: () => `${asked.pair}.${asked.turn}`,
    newPair: () => { asked.pair += 1; age(); },
    newTurn: () => { asked.turn += 1; age(); },
    // the options of the chosen method, and no others
    choose: (method) => { chosen = method; choose(); },
  };

  const watch = () => {
    const settings = document.getElementById("settings");
    // what is folded up comes into being when it is unfolded
    if (!stage() || !settings) return setTimeout(watch, 50);
    const more = document.getElementById("more-photos");
    for (const [place, look] of [[stage(), age], [more, age], [settings, choose]])
      new MutationObserver(look).observe(place, { childList: true, subtree: true });
  };
  watch();

  document.addEventListener("click", (event) =>
    event.target.closest?.(".xfv-answer .reveal")?.parentElement.classList.add("revealed"));

  // "Change": the empty place opens the files at once
  document.addEventListener("click", (event) => {
    const side = event.target.closest?.("[id^=change-]")?.id.at(-1);
    if (!side) return;
    const until = performance.now() + 3000;
    const open = () => {
      const input = document.querySelector(`#photo-${side} input[type=file]`);
      if (input) input.click();
      else if (performance.now() < until) setTimeout(open, 30);
    };
    open();
  });
}
