const servicePattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Names that a URL parser would take for an address (`127`, `0x7f000001`) or that mean this machine. */
const addressLike = /^(?:\d+|0x[0-9a-f]*|localhost)$/;

/**
 * Whether a text is the name of a service and nothing else. A name that could be read as an address is none: it would
 * lead out of the mesh to a place that the caller chose.
 */
export function isServiceName(name: string): boolean {
  return servicePattern.test(name) && !addressLike.test(name);
}
