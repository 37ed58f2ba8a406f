// Chat text as pieces, so that links can be shown without ever treating a message as HTML.

export interface Piece {
  text: string;
  href?: string;
}

const kLink = /https?:\/\/[^\s<>"'`]+/gi;

export function linkPieces(text: string): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(kLink)) {
    // Punctuation at the end belongs to the sentence, not to the address.
    let raw = match[0].replace(/[.,;:!?，。；：！？、）】》]+$/u, '');
    if (raw.endsWith(')') && !raw.includes('(')) raw = raw.slice(0, -1);
    const href = safeHref(raw);
    if (!href) continue;
    if (match.index > end) pieces.push({ text: text.slice(end, match.index) });
    pieces.push({ text: raw, href });
    end = match.index + raw.length;
  }
  if (end < text.length) pieces.push({ text: text.slice(end) });
  return pieces;
}

function safeHref(raw: string): string | null {
  try {
    const url = new URL(raw);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : null;
  } catch {
    return null;
  }
}
