// The probability at another prior, from the likelihood ratio that the answer carries.
() => {
  document.addEventListener("input", (event) => {
    const slider = event.target.closest?.("input[data-lr]");
    if (!slider) return;
    const prior = slider.value / 100;
    const odds = (Number(slider.dataset.lr) * prior) / (1 - prior);
    const p = (100 * odds) / (1 + odds);
    const digits = p > 99.9 || p < 0.1 ? 3 : p > 99 || p < 1 ? 2 : 0;
    slider.nextElementSibling.textContent =
      `${slider.value}: P(same person) ${p.toFixed(digits)} %`;
  });
}
