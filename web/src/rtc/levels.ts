// Loudness of each audio track, for the speaker view and the marks on the tiles.

interface Meter {
  source: MediaStreamAudioSourceNode;
  analyser: AnalyserNode;
  track: MediaStreamTrack;
}

export class LevelMeters {
  private context: AudioContext | null = null;
  private meters = new Map<string, Meter>();
  private samples = new Float32Array(512);

  set(key: string, track: MediaStreamTrack | null): void {
    const old = this.meters.get(key);
    if (old?.track === track) return;
    if (old) {
      old.source.disconnect();
      this.meters.delete(key);
    }
    if (!track || track.readyState !== 'live') return;
    try {
      this.context ??= new AudioContext();
      const source = this.context.createMediaStreamSource(new MediaStream([track]));
      const analyser = this.context.createAnalyser();
      analyser.fftSize = 512;
      source.connect(analyser);
      this.meters.set(key, { source, analyser, track });
    } catch {
      // Without a meter a person is still heard; only the mark is missing.
    }
  }

  /** Root mean square of the last samples: 0 is silence, speech is around 0.05 to 0.3. */
  read(key: string): number {
    const meter = this.meters.get(key);
    if (!meter) return 0;
    meter.analyser.getFloatTimeDomainData(this.samples);
    let sum = 0;
    for (const s of this.samples) sum += s * s;
    return Math.sqrt(sum / this.samples.length);
  }

  resume(): void {
    if (this.context?.state === 'suspended') void this.context.resume().catch(() => undefined);
  }

  close(): void {
    for (const meter of this.meters.values()) meter.source.disconnect();
    this.meters.clear();
    void this.context?.close().catch(() => undefined);
    this.context = null;
  }
}
