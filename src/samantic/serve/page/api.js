// Requests to the server that the page came from. The token stays in this module's memory.
const PATIENCE = 5; // how often a busy server is asked
const LOADING = 120; // how often one that loads its models is asked
const LONGEST = 10; // seconds between two tries

let token = "";
let asking = null;

/** What the server refused: its one line, and the kind of the trouble. */
export class ServerError extends Error {
  constructor(message, kind, status = 0, wait = 0) {
    super(message);
    Object.assign(this, { kind, status, wait });
  }
}

export const hasToken = () => token !== "";

/** The answer to a request; asks for the token where the server wants one. */
export async function ask(path, options = {}) {
  for (;;) {
    const used = token;
    const headers = used ? { Authorization: `Bearer ${used}` } : {};
    const response = await fetch(path, { ...options, headers }).catch((error) => {
      if (error.name === "AbortError") throw error;
      throw new ServerError("The server does not answer; start `samantic serve` again", "gone");
    });
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (response.status !== 401) throw problem;
    if (used !== token) continue; // another request has got one meanwhile
    asking ??= askForToken(used ? problem.message : "").finally(() => (asking = null));
    token = await asking;
  }
}

async function problemOf(response) {
  const wait = Number(response.headers.get("Retry-After")) || 1;
  try {
    const { error, kind } = await response.json();
    if (typeof error === "string") return new ServerError(error, kind, response.status, wait);
  } catch {
    // no JSON: something between here and the server has answered
  }
  const text = `The server answered with status ${response.status}; look at its log`;
  return new ServerError(text, "internal", response.status, wait);
}

function askForToken(problem) {
  const dialog = document.getElementById("token");
  const field = dialog.querySelector("input");
  document.getElementById("token-problem").textContent = problem;
  dialog.returnValue = field.value = "";
  dialog.showModal();
  return new Promise((resolve, reject) => {
    dialog.addEventListener("close", () => {
      if (dialog.returnValue === "go") resolve(field.value.trim());
      else reject(new ServerError("The server asks for a token; load the page again", "token"));
      field.value = "";
    }, { once: true });
  });
}

/** The models; while they are being loaded, `waiting` is told how many seconds the next try is off. */
export function models(waiting) {
  return patient(LOADING, waiting, async () => (await ask("models")).json());
}

export const scenes = async () => (await ask("scenes")).json();

/** The picture of a scene as a file. */
export async function sceneFile(name, camera) {
  const path = `scenes/${encodeURIComponent(name)}/${camera}.png`;
  const blob = await (await ask(path)).blob();
  return new File([blob], `${name}-${camera}.png`, { type: "image/png" });
}

/**
 * What a model makes of files, by camera: {rgb, thermal} or {rgbt}.
 * While the server is busy it is asked again; `waiting` is told how many seconds from now.
 */
export function predict(files, model, signal, waiting) {
  const cameras = files.rgbt ? ["rgb", "thermal"] : Object.keys(files);
  const body = new FormData();
  for (const [camera, file] of Object.entries(files)) body.set(camera, file, file.name);
  body.set("model", model);
  body.set("format", "json");
  body.set("include", ["labels", "confidence", "ground", ...cameras].join());
  const post = async () => (await ask("predict", { method: "POST", body, signal })).json();
  return patient(PATIENCE, waiting, post, signal);
}

/** What `question` gives, which is put again, `most` times at most, while the server is busy. */
async function patient(most, waiting, question, signal) {
  for (let tries = 1; ; tries++) {
    try {
      return await question();
    } catch (error) {
      if (error.kind !== "busy" || tries === most) throw error;
      const seconds = Math.min(error.wait, LONGEST);
      waiting(seconds, error);
      await pause(seconds, signal);
    }
  }
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
