// Names of rooms and people; the same rules as on the web pages.
const LETTERS = 'abcdefghjkmnpqrstuvwxyz';

const letters = (count, random) => Array.from({ length: count }, () => LETTERS[Math.floor(random() * LETTERS.length)]).join('');

const isRoomName = (name) => /^[A-Za-z0-9_-]{1,64}$/.test(name);

/** A code that can be read over the telephone. */
const randomRoomName = (random = Math.random) => [3, 4, 3].map((n) => letters(n, random)).join('-');

/** What people paste: a name, or a whole invitation link. */
function roomFromInput(input) {
  const text = input.trim();
  const match = /\/r\/([A-Za-z0-9_-]{1,64})(?:[?#/].*)?$/.exec(text);
  return match ? match[1] : text.replace(/\s+/g, '-');
}

/** A user id from a name in any script, made unique. */
function userIdFrom(name, random = Math.random) {
  const stem = name.replace(/[^A-Za-z0-9]+/g, '-').replace(/^-+|-+$/g, '').toLowerCase().slice(0, 40);
  return `${stem || 'guest'}-${letters(6, random)}`;
}

module.exports = { isRoomName, randomRoomName, roomFromInput, userIdFrom };
