// Where the pictures of a mixed stream stand.
const CANVAS = { width: 640, height: 480 };

/** A grid of the video tracks, and all audio tracks. */
function mixLayout(videoIDs, audioIDs) {
  const columns = Math.ceil(Math.sqrt(videoIDs.length)) || 1;
  const rows = Math.ceil(videoIDs.length / columns) || 1;
  const width = Math.floor(CANVAS.width / columns / 2) * 2;
  const height = Math.floor(CANVAS.height / rows / 2) * 2;
  return videoIDs
    .map((trackID, i) => ({ trackID, x: (i % columns) * width, y: Math.floor(i / columns) * height, width, height, zOrder: 0 }))
    .concat(audioIDs.map((trackID) => ({ trackID })));
}

module.exports = { CANVAS, mixLayout };
