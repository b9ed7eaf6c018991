declare const process: {
  on(event: 'unhandledRejection', listener: (reason: unknown) => void): void;
  off(event: 'unhandledRejection', listener: (reason: unknown) => void): void;
};
declare const setImmediate: (callback: () => void) => void;

/** Catches rejections that nobody handled, for the length of a suite. `check` throws the first. */
export function trapUnhandled(): { readonly start: () => void; readonly check: () => Promise<void> } {
  const reasons: unknown[] = [];
  const listener = (reason: unknown): void => {
    reasons.push(reason);
  };
  return {
    start: () => {
      process.on('unhandledRejection', listener);
    },
    check: async () => {
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
      process.off('unhandledRejection', listener);
      if (reasons.length > 0) throw new Error('unhandled rejection', { cause: reasons[0] });
    },
  };
}
