// What is shown where; no platform here.
const MAX_TILES = 12;

const columns = (count) => (count <= 1 ? 1 : count <= 4 ? 2 : 3);

/**
 * One tile for each user with his first picture and sound, one more for each further picture; at most 11. `mixed`: sound comes by
 * another player, so a tile has a picture only, or nothing to play.
 */
function tiles(users, mixed) {
  const main = [];
  const more = [];
  for (const user of users) {
    const videos = user.getVideoTracks();
    const audios = user.getAudioTracks();
    if (!videos.length && !audios.length) continue;
    const name = user.userData || user.userID;
    main.push(tile(user.userID, name, videos[0], audios[0], mixed));
    for (const video of videos.slice(1)) more.push(tile(`${user.userID}-${video.trackID}`, `${name} ${video.tag}`.trim(), video, undefined, mixed));
  }
  return main.concat(more).slice(0, MAX_TILES - 1);
}

function tile(key, name, videoTrack, audioTrack, mixed) {
  const config = {};
  if (videoTrack) config.videoTrack = videoTrack;
  if (audioTrack && !mixed) config.audioTrack = audioTrack;
  return {
    config,
    view: {
      id: `parley-player-${key}`,
      name,
      picture: !!videoTrack && !videoTrack.isMuted(),
      silent: !audioTrack || audioTrack.isMuted(),
    },
  };
}

function members(users) {
  return users.map((user) => ({
    userID: user.userID,
    name: user.userData || user.userID,
    camera: user.getVideoTracks().some((t) => !t.isMuted()),
    microphone: user.getAudioTracks().some((t) => !t.isMuted()),
  }));
}

module.exports = { MAX_TILES, columns, tiles, members };
