export type Listener<A extends readonly unknown[]> = (...args: A) => void;

/** A typed event emitter with the names that users of `events` know. A listener that throws does not stop the others. */
export class Emitter<Events extends { [K in keyof Events]: readonly unknown[] }> {
  private readonly lists = new Map<keyof Events, { listener: Listener<never>; once: boolean }[]>();

  on<K extends keyof Events>(event: K, listener: Listener<Events[K]>): this {
    return this.put(event, listener, false);
  }
  addListener<K extends keyof Events>(event: K, listener: Listener<Events[K]>): this {
    return this.put(event, listener, false);
  }
  once<K extends keyof Events>(event: K, listener: Listener<Events[K]>): this {
    return this.put(event, listener, true);
  }
  off<K extends keyof Events>(event: K, listener: Listener<Events[K]>): this {
    const list = this.lists.get(event) ?? [];
    const at = list.map((entry) => entry.listener).lastIndexOf(listener as Listener<never>);
    if (at >= 0) this.lists.set(event, list.filter((_, i) => i !== at));
    return this;
  }
  removeListener<K extends keyof Events>(event: K, listener: Listener<Events[K]>): this {
    return this.off(event, listener);
  }
  removeAllListeners(event?: keyof Events): this {
    if (event === undefined) this.lists.clear();
    else this.lists.delete(event);
    return this;
  }
  listenerCount(event: keyof Events): number {
    return this.lists.get(event)?.length ?? 0;
  }

  emit<K extends keyof Events>(event: K, ...args: Events[K]): boolean {
    const list = this.lists.get(event) ?? [];
    for (const entry of list) {
      if (entry.once) this.off(event, entry.listener as Listener<Events[K]>);
      try {
        (entry.listener as Listener<Events[K]>)(...args);
      } catch (error) {
        Emitter.onListenerError(error);
      }
    }
    return list.length > 0;
  }

  private put<K extends keyof Events>(event: K, listener: Listener<Events[K]>, once: boolean): this {
    if (typeof listener !== 'function') throw new TypeError('a listener is a function');
    this.lists.set(event, [...(this.lists.get(event) ?? []), { listener: listener as Listener<never>, once }]);
    return this;
  }

  /** What becomes of a listener's own error: the platform's adapter decides. */
  static onListenerError: (error: unknown) => void = () => {};
}
