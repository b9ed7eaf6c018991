/** A registry that knows the instances of one service, whatever its name. */
export function registryOf(origins: readonly string[]) {
  const instances = origins.map((origin, at) => {
    const { hostname, port } = new URL(origin);
    return { id: `item-${at}`, host: hostname, port: Number(port) };
  });
  const resolution = { instances };
  return { peek: () => resolution, resolve: () => Promise.resolve(resolution) };
}
