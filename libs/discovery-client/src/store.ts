/** A value that others can hold on to: the contract of React's `useSyncExternalStore`, and of a picker. */
export interface Store<T> {
  /** The same object until the value changes. */
  getSnapshot(): T;
  /** Calls `listener` after each change. Answers what ends that. */
  subscribe(listener: () => void): () => void;
}
