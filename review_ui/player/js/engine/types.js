/**
 * Types of the player's engine. All times are integer nanoseconds relative to the episode's start.
 *
 * @typedef {object} ProxyDoc  the H.264 proxy of one camera; sample i is frame i
 * @property {string} url  answers byte ranges
 * @property {string} codec  e.g. "avc1.64001e"
 * @property {string} description  base64 of the decoder's configuration record
 * @property {[number, number, 0 | 1][]} samples  per frame: offset and size in bytes, 1 at a key frame
 *
 * @typedef {object} CameraDoc
 * @property {string} name
 * @property {number} width
 * @property {number} height
 * @property {number[]} t_ns  recorded time of every frame, ascending
 * @property {string} jpeg  address of the recorded JPEG of frame {i}
 * @property {ProxyDoc | null} proxy  null until it has been made
 *
 * @typedef {object} PlayerDoc  what the engine reads of it
 * @property {string} episode_id
 * @property {number} duration_ns
 * @property {CameraDoc[]} cameras
 * @property {string | null} [fault]  why the episode cannot be shown
 *
 * @typedef {Record<string, number>} Shown  frame index per camera; -1 before its first frame
 *
 * @typedef {object} DeckState
 * @property {boolean} playing
 * @property {number} rate
 * @property {boolean} ready  every camera shows its frame at tNs (or says why it cannot)
 * @property {boolean} waiting  playing, and held until a frame has been decoded
 * @property {boolean} exact  every picture is the recorded JPEG, not the proxy
 * @property {string | null} fault  the first camera's (or the episode's) fault, in words with the remedy
 */

export {};
