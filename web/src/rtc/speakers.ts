// Plays the sound of others, each track through an audio element of its own so that the output can be chosen.

type SinkElement = HTMLAudioElement & { setSinkId?: (id: string) => Promise<void> };

export class Speakers {
  private elements = new Map<string, SinkElement>();
  private sinkId = '';

  constructor(private readonly onBlocked: () => void) {}

  set(key: string, track: MediaStreamTrack | null): void {
    let element = this.elements.get(key);
    const playing = (element?.srcObject as MediaStream | null)?.getAudioTracks()[0] ?? null;
    if (playing === track && (element || !track)) return;
    if (!track) {
      element?.pause();
      if (element) element.srcObject = null;
      this.elements.delete(key);
      return;
    }
    if (!element) {
      element = new Audio();
      element.autoplay = true;
      this.elements.set(key, element);
    }
    element.srcObject = new MediaStream([track]);
    if (this.sinkId) void element.setSinkId?.(this.sinkId).catch(() => undefined);
    void this.play(element);
  }

  private async play(element: SinkElement): Promise<void> {
    try {
      await element.play();
    } catch (error) {
      if ((error as DOMException).name === 'NotAllowedError') this.onBlocked();
    }
  }

  async useSink(deviceId: string): Promise<void> {
    this.sinkId = deviceId;
    await Promise.all([...this.elements.values()].map((e) => e.setSinkId?.(deviceId)));
  }

  async resume(): Promise<void> {
    await Promise.all([...this.elements.values()].map((e) => this.play(e)));
  }

  keys(): string[] {
    return [...this.elements.keys()];
  }

  close(): void {
    for (const key of this.keys()) this.set(key, null);
  }
}
