/** A request that the server answered with something else than what was asked for. */
export class HttpError extends Error {
  /** @param {string} what @param {number} status */
  constructor(what, status) {
    super(`${what} was not sent: the server answered ${status}`);
    this.name = "HttpError";
    this.status = status;
  }
}

/**
 * Bytes offset..end-1 of a file. Not through the browser's cache: it answers ranges of one address one after the other,
 * and one request was seen to stall for seconds.
 *
 * @returns {Promise<Uint8Array>}
 */
export async function fetchRange(url, offset, end, signal) {
  const headers = { Range: `bytes=${offset}-${end - 1}` };
  const response = await fetch(url, { headers, signal, cache: "no-store" });
  if (response.status !== 206) throw new HttpError("the proxy", response.status);
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (bytes.length !== end - offset) throw new Error(`the proxy ends ${end - offset - bytes.length} bytes too early`);
  return bytes;
}

/** @returns {Promise<Blob>} */
export async function fetchBlob(url, signal) {
  const response = await fetch(url, { signal });
  if (!response.ok) throw new HttpError("the recorded picture", response.status);
  return response.blob();
}
