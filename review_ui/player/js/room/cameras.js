// Where the cameras go: the main one as tall as the stage, the others as large as fits beside it.

const GAP_PX = 6;
const MOST_MAIN = 0.72;
const WORTH_A_COLUMN = 1.08;

/**
 * Columns and tile width of the strip beside the main camera. width, height: of the stage, px; aspects: width/height
 * per camera, the main one first. Returns {main, columns, tile: {width, height}} in px.
 */
export function arrange(width, height, [mainAspect, ...others]) {
  if (others.length === 0) return { main: width, columns: 0, tile: { width: 0, height: 0 } };
  const main = Math.min(width * MOST_MAIN, height * mainAspect);
  const left = width - main - GAP_PX;
  const aspect = Math.max(...others);
  const options = others.map((_, i) => fitting(left, height, i + 1, others.length, aspect));
  return {
    main,
    ...options.reduce((best, each) => (each.tile.width > best.tile.width * WORTH_A_COLUMN ? each : best)),
  };
}

function fitting(width, height, columns, count, aspect) {
  const rows = Math.ceil(count / columns);
  const widest = (width - GAP_PX * (columns - 1)) / columns;
  const tallest = (height - GAP_PX * (rows - 1)) / rows;
  const tileWidth = Math.min(widest, tallest * aspect);
  return { columns, tile: { width: tileWidth, height: tileWidth / aspect } };
}

/** Lays the strip of `stage` out for `cameras` (PlayerDoc.cameras), of which `main` is the large one. */
export function place(stage, cameras, main) {
  const large = cameras.find(({ name }) => name === main) ?? cameras[0];
  if (!large || stage.clientWidth === 0) return;
  const ordered = [large, ...cameras.filter((camera) => camera !== large)];
  const aspects = ordered.map((camera) => (camera.width || 4) / (camera.height || 3));
  const { main: mainWidth, columns, tile } = arrange(stage.clientWidth, stage.clientHeight, aspects);
  stage.style.setProperty("--main-width", `${Math.floor(mainWidth)}px`);
  stage.style.setProperty("--strip-columns", `repeat(${columns || 1}, ${Math.floor(tile.width)}px)`);
  stage.style.setProperty("--tile-height", `${Math.floor(tile.height)}px`);
}
