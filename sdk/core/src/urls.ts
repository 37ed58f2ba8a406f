export interface Session {
  /** Secret of this session: part of each address, and what brings it back. */
  readonly token: string;
  /** `host` or `host:port` of the RTMP gateway. */
  readonly host: string;
}

export type Transport = 'rtmp' | 'flv';
export type Layer = 'high' | 'medium' | 'low';

export interface UrlOptions {
  readonly transport?: Transport;
  /** Where `http(s)://host/rtc.flv` is; only for `flv`. */
  readonly flvOrigin?: string;
  /** The layer wanted of a publisher that sends several. */
  readonly layer?: Layer;
}

/** Values stand unescaped in the address: the server's ids are made for that. */
export function publishUrl(session: Session, userId: string): string {
  return `rtmp://${session.host}/?rtmptoken=${session.token}&playerid=${userId}`;
}

export function playUrl(session: Session, userId: string, trackIds: readonly string[], options: UrlOptions = {}): string {
  const ids = trackIds.map((id) => `trackid=${id}&`).join('');
  const layer = options.layer && options.layer !== 'high' ? `&profile=${options.layer}` : '';
  return sourceUrl(session, `${ids}playerid=${userId}${layer}`, options);
}

/** The sound of everybody but the caller, whoever comes and goes. */
export function mixUrl(session: Session, options: UrlOptions = {}): string {
  return sourceUrl(session, 'mix=audio', options);
}

function sourceUrl(session: Session, what: string, options: UrlOptions): string {
  const query = `rtmptoken=${session.token}&${what}`;
  return options.transport === 'flv' && options.flvOrigin
    ? `${options.flvOrigin}/rtc.flv?${query}`
    : `rtmp://${session.host}/?${query}`;
}

/** `https://host` for `wss://host/path`, where the same server answers HTTP-FLV. */
export function httpOrigin(server: string): string {
  const match = /^ws(s?):\/\/([^/?#]+)/.exec(server);
  return match ? `http${match[1]}://${match[2]}` : '';
}
