/** How far a chain of causes is followed. */
const maxDepth = 20;

/** The fallback's answer. If it throws, its error carries the primary one as `cause`, so that neither is lost. */
export async function recover<F>(
  primary: unknown,
  fallback: (error: unknown) => F | PromiseLike<F>,
): Promise<Awaited<F>> {
  try {
    return await fallback(primary);
  } catch (error) {
    throw withCause(error, primary);
  }
}

function withCause(error: unknown, primary: unknown): unknown {
  if (error === primary || causedBy(primary, error)) return error;
  if (!(error instanceof Error))
    return new AggregateError([error, primary], 'the fallback failed', { cause: primary });
  // Its author has said what caused it.
  if (Object.hasOwn(error, 'cause')) return error;
  const added = Reflect.defineProperty(error, 'cause', {
    value: primary,
    writable: true,
    configurable: true,
  });
  return added ? error : new AggregateError([error, primary], error.message, { cause: primary });
}

/** Whether `cause` is already somewhere behind `error`: adding the reverse would close a circle. */
function causedBy(error: unknown, cause: unknown): boolean {
  let current = error;
  for (let depth = 0; depth < maxDepth && current instanceof Error; depth++) {
    current = current.cause;
    if (current === cause) return true;
  }
  return false;
}
