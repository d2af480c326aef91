// Arrow keys move within a group of radio buttons. Gradio gives every button a name of its own,
// so to the browser each is a group by itself, and gives it back whenever it draws them anew.
() => {
  document.addEventListener("keydown", (event) => {
    const box = event.target.closest?.('input[type="radio"]') && event.target.closest(".block[id]");
    if (!box) return;
    for (const radio of box.querySelectorAll('input[type="radio"]')) radio.name = box.id;
  }, true);
}
