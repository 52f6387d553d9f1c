/**
 * The process-local event bus. An event is a nudge; the row is the truth. Listeners run in the order in which
 * they subscribed; one that throws is reported and breaks nobody.
 */
export interface Bus<Events> {
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void;
  /** Subscribes; the returned function unsubscribes. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void;
}

/** Creates a bus. `onError` hears of listeners that threw. */
export function createBus<Events>(onError: (name: string, error: unknown) => void): Bus<Events> {
  const listeners = new Map<keyof Events, Set<(event: never) => void>>();
  return {
    emit(name, event) {
      for (const listener of listeners.get(name) ?? []) {
        try {
          listener(event as never);
        } catch (error) {
          onError(String(name), error);
        }
      }
    },
    on(name, listener) {
      const set = listeners.get(name) ?? new Set();
      listeners.set(name, set.add(listener));
      return () => set.delete(listener);
    },
  };
}
