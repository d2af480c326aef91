// The live camera. The next picture is sent when the answer to the last one is there, so what is
// shown is never more than one picture old. The camera stops when its tab is left, and in time.
const video = element.querySelector("video");
const button = element.querySelector("button");
const rate = element.querySelector(".rate");
const said = element.querySelector(".said");
const limit = 1000 * Number(element.querySelector("[data-seconds]").dataset.seconds);
const WIDTH = 640;
const picture = document.createElement("canvas");
let stream = null;

const token = () => document.querySelector("#live-reference [data-token]")?.dataset.token;
const say = (text) => {
  const line = document.createElement("p");
  line.className = "basis";
  line.textContent = text;
  said.replaceChildren(line);
};

const stop = (why) => {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  video.srcObject = null;
  button.textContent = "Start the camera";
  rate.textContent = "";
  if (why) say(why);
};

const start = async () => {
  if (!token()) return say("Choose a reference photo first.");
  if (!navigator.mediaDevices)
    return say("Browsers give the camera to https pages and to localhost only.");
  button.disabled = true;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: WIDTH }, height: { ideal: 480 }, facingMode: "user" }, audio: false });
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    return stop(error.name === "NotAllowedError"
      ? "The browser was not allowed to use the camera." : "No camera was found.");
  } finally {
    button.disabled = false;
  }
  button.textContent = "Stop";
  await run(stream);
};

const run = async (mine) => {
  const began = performance.now();
  const answered = [];
  while (stream === mine) {
    if (performance.now() - began > limit)
      return stop(`Stopped after ${limit / 1000} seconds; start again to go on.`);
    picture.width = Math.min(WIDTH, video.videoWidth);
    picture.height = Math.round((picture.width * video.videoHeight) / video.videoWidth);
    picture.getContext("2d").drawImage(video, 0, 0, picture.width, picture.height);
    let answer;
    try {
      answer = await server.live_frame([token() ?? "", picture.toDataURL("image/jpeg", 0.85)]);
    } catch {
      return stop("The server did not answer; try again.");
    }
    if (stream !== mine) return;
    if (answer.stop) return stop(answer.stop);
    said.innerHTML = answer.html;
    const now = performance.now();
    answered.push(now);
    while (now - answered[0] > 2000) answered.shift();
    if (answered.length > 2)
      rate.textContent =
        `${((1000 * (answered.length - 1)) / (now - answered[0])).toFixed(1)} frames a second`;
    await new Promise(requestAnimationFrame);
  }
};

button.addEventListener("click", () => (stream ? stop("Stopped.") : start()));
const left = () => {
  if (stream && (document.hidden || !element.offsetParent)) stop("Stopped because the tab was left.");
};
document.addEventListener("visibilitychange", left);
new ResizeObserver(left).observe(element); // a tab that is not shown has no size
window.addEventListener("pagehide", () => stop());
