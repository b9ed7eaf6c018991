/// <reference lib="esnext.disposable" preserve="true" />

interface Discardable {
  readonly [Symbol.asyncDispose]?: () => unknown;
  readonly [Symbol.dispose]?: () => unknown;
  readonly body?: { readonly cancel?: () => unknown } | null;
}

/**
 * Gives back what nobody will get any more (a late answer, a lost race, an answer that is asked for again): by `Symbol.asyncDispose`,
 * `Symbol.dispose`, or `body.cancel()` as a `Response` has it, so that its connection is free. What that throws is of no interest.
 */
export function discard(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  void release(value).catch(() => undefined);
}

async function release(value: Discardable): Promise<void> {
  const dispose = value[Symbol.asyncDispose] ?? value[Symbol.dispose];
  await (dispose ? dispose.call(value) : value.body?.cancel?.());
}
