"""A real browser decodes the proxies from the byte ranges that the player's document names, in the recorded colours."""

from __future__ import annotations

import shutil
from pathlib import Path

from marked_episodes import READ_MARK_JS, make_id
from media_server import serving
from playwright.sync_api import Browser

SHOW_FRAMES = (
    READ_MARK_JS
    + """
async function decoded(proxy, frame) {
  const first = proxy.samples.findLastIndex(([, , key], i) => key && i <= frame);
  const group = proxy.samples.slice(first, frame + 1);
  const start = group[0][0], end = group.at(-1)[0] + group.at(-1)[1];
  const response = await fetch(proxy.url, {headers: {Range: `bytes=${start}-${end - 1}`}, cache: "no-store"});
  const bytes = new Uint8Array(await response.arrayBuffer());
  let shown;
  const decoder = new VideoDecoder({
    output: (picture) => { shown?.close(); shown = picture; },
    error: (error) => { throw error; },
  });
  const description = Uint8Array.from(atob(proxy.description), (c) => c.charCodeAt(0));
  decoder.configure({codec: proxy.codec, description, optimizeForLatency: true});
  group.forEach(([offset, size, key], i) => decoder.decode(new EncodedVideoChunk({
    type: key ? "key" : "delta", timestamp: first + i, data: bytes.subarray(offset - start, offset - start + size),
  })));
  await decoder.flush();
  decoder.close();
  return shown;
}
function pixels(image, {width, height}) {
  const pen = new OffscreenCanvas(width, height).getContext("2d");
  pen.drawImage(image, 0, 0, width, height);
  return pen.getImageData(0, 0, width, height);
}
async function look(id, asked) {
  const doc = await (await fetch(`/teleloom/media/${id}/player.json`)).json();
  const results = [];
  for (const [place, frame] of asked) {
    const camera = doc.cameras[place];
    const proxy = pixels(await decoded(camera.proxy, frame), camera);
    const jpeg = await fetch(camera.jpeg.replace("{i}", frame));
    const exact = pixels(await createImageBitmap(await jpeg.blob()), camera);
    const sums = [0, 0, 0, 0];
    proxy.data.forEach((value, i) => { sums[i % 4] += value - exact.data[i]; });
    results.push({
      proxy: readMark(proxy), exact: readMark(exact), shift: sums.map((sum) => sum / camera.width / camera.height),
    });
  }
  return results;
}
"""
)


def test_chromium_shows_the_right_frames_in_the_recorded_colours(
    chromium: Browser, marked_master: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(marked_master, tmp_path / "root")
    asked = [[place, frame] for place in range(3) for frame in (0, 13, 30, 77)]
    with serving(root) as server:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.port}/teleloom/media/nothing")
        shown = page.evaluate(
            f"async ([id, asked]) => {{ {SHOW_FRAMES} return look(id, asked); }}", [make_id(1), asked]
        )
        context.close()
    for (place, frame), result in zip(asked, shown, strict=True):
        assert result["proxy"] == result["exact"] == {"frame": frame, "camera": place, "episode": 1}
        assert max(abs(each) for each in result["shift"]) < 2.0
