import { frameAt } from "./frame_at.js";

/**
 * Where so many frames from this one lead. Frames recorded at one and the same time cannot be told apart by time: the
 * newest of them stands for all.
 *
 * @param {ArrayLike<number>} times  when each frame was recorded, ascending, not empty
 * @param {number} from  -1 before the first
 * @param {number} count  negative: back
 * @param {number} duration  frames that can be seen only before 0 or after this are not gone to
 * @returns {number} a frame that there is
 */
export function stepFrom(times, from, count, duration) {
  const first = Math.max(frameAt(times, 0), 0);
  const last = Math.max(frameAt(times, duration), first);
  let to = Math.min(Math.max(from + count, first), last);
  while (count < 0 && to > first && times[to] === times[from]) to -= 1;
  return to;
}
