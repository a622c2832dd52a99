/**
 * The newest frame that had been recorded at a time.
 *
 * @param {ArrayLike<number>} times  ascending
 * @param {number} time
 * @returns {number} index of the last entry <= time; -1 before the first
 */
export function frameAt(times, time) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= time) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
