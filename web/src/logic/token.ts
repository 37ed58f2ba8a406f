// The part of a room token that its holder may read. The server alone checks the signature.

export interface TokenClaims {
  appId: string;
  roomName: string;
  userId: string;
  expireAt: number;
  permission: string;
}

export function readToken(token: string): TokenClaims | null {
  const part = token.trim().split(':')[2];
  if (!part) return null;
  try {
    const bytes = Uint8Array.from(atob(part.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof claims !== 'object' || claims === null) return null;
    const { appId, roomName, userId, expireAt, permission } = claims as Record<string, unknown>;
    if (typeof roomName !== 'string' || typeof userId !== 'string') return null;
    return {
      appId: typeof appId === 'string' ? appId : '',
      roomName,
      userId,
      expireAt: typeof expireAt === 'number' ? expireAt : 0,
      permission: typeof permission === 'string' ? permission : 'user',
    };
  } catch {
    return null;
  }
}
