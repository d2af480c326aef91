// A black patch on the faces: dragged, or moved by the arrow keys. The next place is asked for when
// the answer to the last one is there, and then only the latest: no place that was left behind.
const button = element.querySelector(".xfv-cover");
const spoken = element.querySelector(".spoken");
const KEY_STEP = 1 / 28, GROW = 1 / 14, LEAST = 1 / 14, MOST = 0.6; // shares of the face's side
const HINT = "Drag me, or use the arrow keys; + and − change my size, Enter the face.";
const at = { side: 0, top: 0.32, left: 0.38, size: 0.25 };
let pair = null, wanted = false, asking = false, grip = null, focused = false;

const patch = document.createElement("div");
patch.className = "xfv-patch";
patch.innerHTML = '<button type="button" aria-label="Black patch"></button><output></output>';
const [handle, label] = patch.children;

const opened = () => document.querySelector("#occluder-pair [data-token]");
const view = (side) => document.querySelector(`#face-${"ab"[side]} .on-crop`);
const current = () => pair && pair.dataset.of === xfv.key().split(".")[0];
const inside = (share) => Math.min(1 - at.size, Math.max(0, share));

const off = (why = "") => {
  pair = null;
  patch.remove();
  button.setAttribute("aria-pressed", false);
  spoken.textContent = why;
};

// the faces are made anew with every map; the patch goes along
const place = () => {
  if (!pair) return;
  if (!current()) return off();
  const face = view(at.side);
  if (!face) return;
  if (patch.parentElement !== face) {
    face.append(patch);
    if (focused) handle.focus({ preventScroll: true });
  }
  at.top = inside(at.top);
  at.left = inside(at.left);
  for (const [name, share] of [["top", at.top], ["left", at.left], ["width", at.size]])
    patch.style[name] = `${100 * share}%`;
  patch.classList.toggle("low", at.top + at.size > 0.85);
};

const move = (change) => {
  Object.assign(at, change);
  place();
  ask();
};

const ask = async () => {
  wanted = true;
  if (asking) return;
  asking = true;
  while (wanted && current()) {
    wanted = false;
    const mine = pair;
    let answer;
    try {
      answer = await server.cover([mine.dataset.token, at.side, at.top, at.left, at.size]);
    } catch {
      answer = { gone: "The server did not answer; try again." };
    }
    if (mine !== pair) break;
    if (answer.gone) { off(answer.gone); break; }
    label.textContent = answer.label;
    patch.dataset.verdict = answer.verdict;
    if (!wanted) spoken.textContent = answer.spoken;
  }
  asking = false;
};

button.addEventListener("click", () => (pair ? off() : trigger("select", {})));

const KEYS = {
  ArrowUp: () => ({ top: at.top - KEY_STEP }), ArrowDown: () => ({ top: at.top + KEY_STEP }),
  ArrowLeft: () => ({ left: at.left - KEY_STEP }), ArrowRight: () => ({ left: at.left + KEY_STEP }),
  "+": () => ({ size: Math.min(MOST, at.size + GROW) }),
  "-": () => ({ size: Math.max(LEAST, at.size - GROW) }),
  Enter: () => ({ side: 1 - at.side }),
};
handle.addEventListener("focus", () => { focused = true; });
// a handle that went with its old face keeps the focus, one that was left does not
handle.addEventListener("blur", () => setTimeout(() => { if (handle.isConnected) focused = document.activeElement === handle; }));
handle.addEventListener("keydown", (event) => {
  if (event.key === "Escape") return off("Patch taken away."), button.focus();
  const change = KEYS[event.key];
  if (!change) return;
  event.preventDefault();
  move(change());
  if (event.key === "Enter") handle.focus({ preventScroll: true });
});

const under = (event) => {
  const side = [0, 1].find((one) => view(one)?.contains(event.target));
  return side === undefined ? null : { side, box: view(side).getBoundingClientRect() };
};
const shares = ({ left, top, width, height }, event) =>
  [(event.clientX - left) / width, (event.clientY - top) / height];

document.addEventListener("pointerdown", (event) => {
  const found = pair && under(event);
  if (!found) return;
  const [x, y] = shares(found.box, event);
  const held = event.target === handle;
  grip = held ? [x - at.left, y - at.top] : [at.size / 2, at.size / 2];
  if (held) event.preventDefault();
  handle.focus({ preventScroll: true });
  if (!held) move({ side: found.side, left: x - grip[0], top: y - grip[1] });
});
document.addEventListener("pointermove", (event) => {
  if (!grip || !view(at.side)) return;
  const [x, y] = shares(view(at.side).getBoundingClientRect(), event);
  move({ left: x - grip[0], top: y - grip[1] });
});
for (const end of ["pointerup", "pointercancel"])
  document.addEventListener(end, () => { grip = null; });

const settle = () => {
  const [stage, source] = ["stage", "occluder-pair"].map((id) => document.getElementById(id));
  if (!stage || !source) return setTimeout(settle, 50);
  new MutationObserver(() => {
    const found = opened();
    if (found && found !== pair) {
      pair = found;
      label.textContent = "Drag me";
      spoken.textContent = HINT;
      button.setAttribute("aria-pressed", true);
      move({});
      handle.focus({ preventScroll: true });
    }
  }).observe(source, { childList: true, subtree: true });
  new MutationObserver(place).observe(stage, { childList: true, subtree: true });
};
settle();
