const constructors = Error as unknown as { stackTraceLimit?: number };

/** Makes an error without capturing a stack, which would cost more than everything else together. */
export function withoutStack<E extends Error>(make: () => E): E {
  const limit = constructors.stackTraceLimit;
  try {
    constructors.stackTraceLimit = 0;
  } catch {
    // Frozen intrinsics: then it has a stack.
    return make();
  }
  const error = make();
  if (limit === undefined) delete constructors.stackTraceLimit;
  else constructors.stackTraceLimit = limit;
  return error;
}
