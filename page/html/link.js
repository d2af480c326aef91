// A link to what is shown: settings, and the pair if it is an example.
() => {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("button[data-link]");
    if (!button) return;
    const address = new URL(`?${button.dataset.link}`, location.href).href;
    const words = button.textContent;
    try {
      await navigator.clipboard.writeText(address);
      button.textContent = "Copied";
    } catch {
      prompt("The link", address); // no clipboard without https
    }
    setTimeout(() => { button.textContent = words; }, 2000);
  });
}
