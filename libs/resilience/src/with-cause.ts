/** How far a chain of causes is followed. */
const maxDepth = 20;

/** `error`, with `primary` as its cause where it has none of its own; both in an AggregateError where that cannot be. */
export function withCause(error: unknown, primary: unknown): unknown {
  if (error === primary || isBehind(primary, error)) return error;
  if (!(error instanceof Error)) {
    return new AggregateError([error, primary], 'the fallback failed', { cause: primary });
  }
  if (Object.hasOwn(error, 'cause')) return error;
  const property = { value: primary, writable: true, configurable: true };
  if (Reflect.defineProperty(error, 'cause', property)) return error;
  return new AggregateError([error, primary], error.message, { cause: primary });
}

/** Whether `cause` is somewhere behind `error`: adding the reverse would close a circle. */
function isBehind(error: unknown, cause: unknown): boolean {
  let current = error;
  for (let depth = 0; depth < maxDepth && current instanceof Error; depth++) {
    current = current.cause;
    if (current === cause) return true;
  }
  return false;
}
