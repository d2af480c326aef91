// The live camera. The next picture is sent when the answer to the last one is there. What is shown
// is the very picture that was compared, with the map where its face is: never a map on another.
// States: idle, asking, searching, comparing, no-face, full, stopped.
const root = element.querySelector(".xfv-live");
const find = (name) => root.querySelector(name);
const [video, canvas, chip] = ["video", ".stage canvas", ".chip"].map(find);
const [start, other, best, rate] = [".start", ".other", ".best", ".rate"].map(find);
const LIMIT = 1000 * Number(root.dataset.seconds), WIDTH = 640, RETRY = 3000; // ms, px, ms
const ROUND = 0.08; // of the face's side: its rounded corners
const picture = document.createElement("canvas");
const keeps = { quality: -Infinity, frame: "" }; // the best frame, in this tab's memory only
let stream = null, facing = "user", heard = "";

const token = () => document.querySelector("#live-reference [data-token]")?.dataset.token;
const reading = () => document.getElementById("live-reading");

const state = (name, title = "", more = "") => {
  root.dataset.state = name;
  const over = ["idle", "asking", "stopped", "full"].includes(name);
  if (over && title) find(".over b").textContent = title;
  if (over && title) find(".over span").textContent = more;
  chip.hidden = over || !title;
  chip.textContent = over ? "" : title;
  hear(title);
};

// what is read out: a change of state or verdict, not every frame
const hear = (words) => {
  if (words && words !== heard) find(".spoken").textContent = heard = words;
};

const stop = (title, more = "") => {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  video.srcObject = null;
  start.textContent = "Start the camera";
  rate.textContent = "";
  if (title) state("stopped", title, more);
};

const REFUSED = {
  NotAllowedError: ["The camera was not allowed",
    "Allow it for this page: the sign beside the address, then start again."],
  NotReadableError: ["The camera is busy", "Another program uses it; close that and start again."],
};

const begin = async () => {
  if (!token())
    return state("stopped", "Choose a reference photo first", "The face that yours is held against.");
  if (!navigator.mediaDevices)
    return state("stopped", "No camera over this address",
      "Browsers give the camera to https pages and to localhost only.");
  start.disabled = true;
  state("asking", "May this page use the camera?", "Your browser asks; nothing is recorded.");
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: false,
      video: { width: { ideal: WIDTH }, height: { ideal: 480 }, facingMode: facing } });
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    return stop(...(REFUSED[error.name] ?? ["No camera was found", "Connect one and start again."]));
  } finally {
    start.disabled = false;
  }
  start.textContent = "Stop";
  const cameras = await navigator.mediaDevices.enumerateDevices();
  other.hidden = cameras.filter((device) => device.kind === "videoinput").length < 2;
  root.classList.toggle("mirrored", facing === "user"); // as in a mirror; what is sent is not
  root.style.setProperty("--ratio", video.videoWidth / video.videoHeight);
  chart.clear();
  keeps.quality = -Infinity;
  state("searching", "Looking for a face");
  await run(stream);
};

const shot = () => {
  picture.width = Math.min(WIDTH, video.videoWidth);
  picture.height = Math.round((picture.width * video.videoHeight) / video.videoWidth);
  picture.getContext("2d").drawImage(video, 0, 0, picture.width, picture.height);
  return picture.toDataURL("image/jpeg", 0.85);
};

const run = async (mine) => {
  const began = performance.now();
  const answered = [];
  while (stream === mine) {
    if (performance.now() - began > LIMIT)
      return stop(`Stopped after ${LIMIT / 1000} seconds`, "Start again to go on.");
    const frame = shot();
    let answer;
    try {
      answer = await server.live_frame([token() ?? "", frame]);
    } catch {
      return stop("The server did not answer", "Try again in a moment.");
    }
    if (stream !== mine) return;
    if (answer.state === "stopped") return stop(...split(answer.why));
    if (answer.state === "comparing") await show(answer, frame);
    else state(answer.state, ...(answer.state === "full"
      ? ["All places are taken", "Yours starts by itself when one is free."] : [answer.why]));
    if (answer.state === "no-face") chart.add(null);
    answered.push(performance.now());
    while (performance.now() - answered[0] > 3000) answered.shift();
    rate.textContent = speed(answered);
    if (answer.state === "full") await new Promise((go) => setTimeout(go, RETRY));
    await new Promise(requestAnimationFrame);
  }
};

const split = (why) => {
  const [first, ...rest] = why.split(/(?<=[;,.]) /);
  return [first.replace(/[;,.]$/, ""), rest.join(" ")];
};

const speed = (answered) => {
  const seconds = (answered.at(-1) - answered[0]) / 1000;
  return answered.length < 2 ? "" : `${((answered.length - 1) / seconds).toFixed(1)} frames a second`;
};

const show = async (answer, frame) => {
  const face = new Image();
  face.src = answer.face;
  await face.decode();
  canvas.width = picture.width;
  canvas.height = picture.height;
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  const side = face.naturalWidth;
  context.lineWidth = 2;
  context.strokeStyle = "rgba(255,255,255,.75)";
  for (const [x0, y0, x1, y1] of answer.others) context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  context.setTransform(...answer.place);
  context.beginPath();
  context.roundRect(0, 0, side, side, ROUND * side);
  context.save();
  context.clip();
  context.drawImage(face, 0, 0);
  context.restore();
  context.stroke();
  const n = answer.others.length + 1;
  state("comparing", n > 1 ? `${n} faces: the largest is compared` : "");
  hear(answer.words);
  reading().querySelector(".said").innerHTML = answer.said;
  reading().querySelector(".reference").innerHTML = answer.reference;
  chart.add(answer.p);
  if (answer.quality > keeps.quality) keep(answer, frame, side);
};

const keep = ({ quality, place }, frame, side) => {
  Object.assign(keeps, { quality, frame });
  best.disabled = false;
  const small = best.querySelector("canvas"), context = small.getContext("2d");
  small.hidden = false;
  const cut = new DOMMatrix(place).inverse(); // the face, without its map
  context.setTransform(new DOMMatrix().scale(small.width / side).multiply(cut));
  context.drawImage(picture, 0, 0);
};

// P(same person) on an axis of log-odds, where near-certain values keep apart
const chart = {
  seen: [],
  clear() { this.seen = []; },
  y(p) {
    const most = 0.999, odds = (q) => Math.log(q / (1 - q));
    return 58 - (48 * odds(Math.min(most, Math.max(1 - most, p)))) / odds(most);
  },
  add(p) {
    const now = performance.now();
    const { window: length, span } = reading().dataset;
    this.seen = [...this.seen.filter((one) => now - one.t < 1000 * length), { t: now, p }];
    const known = this.seen.filter((one) => one.p !== null);
    const svg = reading().querySelector(".chart");
    const hidden = !known.length;
    for (const piece of [svg, reading().querySelector(".about")]) piece.toggleAttribute("hidden", hidden);
    if (hidden) return;
    const x = (t) => 316 - (272 * (now - t)) / (1000 * length);
    const places = known.map(({ t, p: value }) => {
      const near = known.filter((one) => one.t <= t && t - one.t <= 1000 * span).map((one) => this.y(one.p));
      return { x: x(t), y: this.y(value), top: Math.min(...near), low: Math.max(...near) };
    });
    const line = (key, list = places) => list.map((at) => `${at.x.toFixed(1)},${at[key].toFixed(1)}`).join(" ");
    svg.querySelector(".line").setAttribute("points", line("y"));
    svg.querySelector(".band").setAttribute("points", `${line("top")} ${line("low", [...places].reverse())}`);
    const last = places.at(-1), dot = svg.querySelector(".now");
    dot.setAttribute("cx", last.x);
    dot.setAttribute("cy", last.y);
    const ticks = svg.querySelector(".ticks");
    if (!ticks.childElementCount) ticks.innerHTML = [0.001, 0.05, 0.5, 0.95, 0.999].map((q) =>
      `<path d="M44 ${this.y(q)}H320"/><text x="38" y="${this.y(q) + 4}" text-anchor="end">${+(100 * q).toFixed(1)} %</text>`).join("");
  },
};

start.addEventListener("click", () => (stream ? stop("Stopped", "Start again to go on.") : begin()));
other.addEventListener("click", () => {
  facing = facing === "user" ? "environment" : "user";
  stop();
  begin();
});
best.addEventListener("click", () => {
  stop("Stopped", "The best frame is compared under Two photos.");
  trigger("select", { frame: keeps.frame });
});
new MutationObserver(() => {
  if (token() && ["idle", "stopped"].includes(root.dataset.state))
    state("idle", "Ready", "Start the camera; it stops by itself, and when you leave this tab.");
}).observe(document.getElementById("live-reference") ?? document.body, { childList: true, subtree: true });
const left = () => {
  if (stream && (document.hidden || !element.offsetParent))
    stop("Stopped because the tab was left", "Start again to go on.");
};
document.addEventListener("visibilitychange", left);
new ResizeObserver(left).observe(element); // a tab that is not shown has no size
window.addEventListener("pagehide", () => stop());
