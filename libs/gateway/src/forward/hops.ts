/** Gateways that a request may pass; one that comes to yet another asks for itself, again and again. */
export const maxHops = 4;

/** How many gateways a request has passed, by its `X-Mesh-Hops`. Who invents a number harms that one request. */
export function hopsOf(headers: Readonly<Record<string, unknown>>): number {
  const hops = Number(headers['x-mesh-hops'] ?? 0);
  return Number.isSafeInteger(hops) && hops >= 0 ? hops : maxHops;
}
