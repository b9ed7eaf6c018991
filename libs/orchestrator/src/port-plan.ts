import type { HostedInstance, PortClaim } from './instance-host.ts';
import type { PortConflictEvent } from './mesh-event.ts';
import { findPortHolder, type PortHolder } from './port-holder.ts';
import { isPortFree, nextFreePort } from './ports.ts';

/**
 * Which ports this mesh has or means to have. A port is decided before its process first listens on it; from then
 * on others may know its URL, so a restarted process waits for its own port rather than taking another.
 */
export class PortPlan {
  readonly #taken: Set<number>;
  readonly #onConflict: (event: PortConflictEvent) => void;

  constructor(declared: Iterable<number>, onConflict: (event: PortConflictEvent) => void) {
    this.#taken = new Set(declared);
    this.#onConflict = onConflict;
  }

  /** Confirms the port of an instance, or finds another, or says who is in the way. */
  async claim({ instance, service, port }: HostedInstance, movable: boolean): Promise<PortClaim> {
    if (port === 0 || (await isPortFree(port))) return { port };
    const holder = await findPortHolder(port);
    const replacement = movable ? await this.#reserveAfter(port) : undefined;
    this.#onConflict({ type: 'portConflict', instance, service, port, holder, replacement });
    return replacement === undefined
      ? { blocked: `cannot have port ${port}, ${describeHolder(holder)}` }
      : { port: replacement };
  }

  async #reserveAfter(port: number): Promise<number> {
    let candidate: number;
    // Another instance may have reserved the same port while this one was being tried.
    do candidate = await nextFreePort(port, this.#taken);
    while (this.#taken.has(candidate));
    this.#taken.add(candidate);
    return candidate;
  }
}

/** `which pid 4711 (python3 -m http.server) holds`. */
export function describeHolder(holder: PortHolder | undefined): string {
  return holder === undefined
    ? 'which another process holds'
    : `which pid ${holder.pid} (${holder.command}) holds`;
}
