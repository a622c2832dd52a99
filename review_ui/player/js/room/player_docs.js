// PlayerDocs for the deck: asked for again while a proxy is being made.

const ASK_EVERY_MS = 2_500;
const ASKS = 60;

/** Calls `made(doc)` each time more proxies are there, until all are or `signal` aborts. */
export async function awaitProxies(api, doc, signal, made) {
  let known = ready(doc);
  for (let asked = 0; known < doc.cameras.length && asked < ASKS; asked += 1) {
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
    if (signal.aborted) return;
    const newer = await api.playerDoc(doc.episode_id).catch(() => null);
    if (signal.aborted || !newer || ready(newer) === known) continue;
    known = ready(newer);
    made(newer);
  }
}

function ready(doc) {
  return doc.cameras.filter((camera) => camera.proxy).length;
}
