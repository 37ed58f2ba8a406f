// Who is speaking. Levels come a few times a second; the choice must not flicker between two people.

export const kSpeakingLevel = 0.035;
const kHoldMs = 1500;
const kTakeoverMs = 500;

export interface Level {
  id: string;
  level: number;
}

export class SpeakerPicker {
  private current: string | null = null;
  private currentHeardAt = -Infinity;
  private rival: string | null = null;
  private rivalSince = 0;

  /** Takes the levels at `now` and answers who has the floor; silence changes nothing. */
  update(levels: Level[], now: number): string | null {
    let loudest: Level | null = null;
    for (const l of levels) {
      if (l.level < kSpeakingLevel) continue;
      if (l.id === this.current) this.currentHeardAt = now;
      if (!loudest || l.level > loudest.level) loudest = l;
    }
    if (this.current !== null && !levels.some((l) => l.id === this.current)) this.current = null;
    if (!loudest || loudest.id === this.current) {
      this.rival = null;
      return this.current;
    }
    if (this.rival !== loudest.id) {
      this.rival = loudest.id;
      this.rivalSince = now;
    }
    const floorFree = this.current === null || now - this.currentHeardAt > kHoldMs;
    if (floorFree || now - this.rivalSince >= kTakeoverMs) {
      this.current = loudest.id;
      this.currentHeardAt = now;
      this.rival = null;
    }
    return this.current;
  }
}
