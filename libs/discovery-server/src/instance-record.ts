import type { Instance } from '@mesh/discovery-client';
import { addressKey, hostPort } from './address.ts';
import type { Deadlined } from './deadline-queue.ts';
import type { RegistrationRequest } from './registration.ts';
import { RegistryError } from './registry-error.ts';

/** Seconds between two heartbeats of an instance that does not say. */
export const defaultHeartbeatInterval = 30;

/** Earlier holders of an address that are remembered, to refuse what they still send. */
const maxSuperseded = 8;

const nobody: readonly string[] = Object.freeze([]);

const noMetadata: Readonly<Record<string, string>> = Object.freeze({});

/** One registered instance: what everybody sees of it, and what only its lease knows. */
export class InstanceRecord implements Deadlined {
  deadline = 0;
  rank = 0;
  slot = -1;
  #lastHeartbeatMs: number;
  #instance: Instance;
  #described: Instance | undefined;
  #superseded: readonly string[] = nobody;

  constructor(instance: Instance, nowMs: number) {
    this.#instance = instance;
    this.#lastHeartbeatMs = nowMs;
  }

  get instance(): Instance {
    return this.#instance;
  }

  get address(): string {
    return addressKey(this.#instance.host, this.#instance.port);
  }

  get leaseMs(): number {
    return Math.round(this.#instance.heartbeatInterval * 1500);
  }

  /** Wall clock, for display. */
  get lastHeartbeatMs(): number {
    return this.#lastHeartbeatMs;
  }

  beat(nowMs: number): void {
    this.#lastHeartbeatMs = nowMs;
    this.#described = undefined;
  }

  /** Takes new content; another incarnation supersedes the one before. */
  replace(instance: Instance): void {
    const former = this.#instance;
    this.#instance = instance;
    this.#described = undefined;
    if (former.incarnation !== instance.incarnation) this.#supersede([former.incarnation]);
  }

  /**
   * Remembers that this record took the address of another one. Only a process, which has an incarnation, replaces the
   * other for good: a registration by hand gives way when the process that is really there comes back.
   */
  takeOver(other: InstanceRecord, isProcess: boolean): void {
    this.#supersede([...other.#superseded, ...(isProcess ? [other.#instance.incarnation] : [])]);
  }

  /** @throws RegistryError `ERR_INCARNATION_STALE` when the incarnation is one that was replaced by this. */
  refuseSuperseded(incarnation: string | undefined): void {
    if (incarnation !== undefined && this.#superseded.includes(incarnation)) throw this.stale();
  }

  /** What a process is told that is no longer this instance. */
  stale(): RegistryError {
    const { name, id } = this.#instance;
    return new RegistryError('ERR_INCARNATION_STALE', `another process has taken ${name} ${id} over`);
  }

  /** The instance with the time of its last heartbeat as it is now; frozen, and made once for each heartbeat at most. */
  describe(): Instance {
    return (this.#described ??= Object.freeze({
      ...this.#instance,
      lastHeartbeat: new Date(this.#lastHeartbeatMs).toISOString(),
    }));
  }

  #supersede(incarnations: readonly string[]): void {
    const earlier = new Set([...this.#superseded, ...incarnations]);
    earlier.delete(this.#instance.incarnation);
    this.#superseded = [...earlier].slice(-maxSuperseded);
  }
}

/** The id an instance has when it names none. */
export function defaultId({ host, port }: { readonly host: string; readonly port: number }): string {
  return hostPort(host, port);
}

/**
 * The frozen instance that a registration describes; the previous one itself when nothing differs, so that
 * identity tells whether there is anything to announce.
 */
export function instanceOf(
  request: RegistrationRequest & { readonly incarnation: string },
  nowMs: number,
  previous: Instance | undefined,
): Instance {
  const now = new Date(nowMs).toISOString();
  const sameProcess = previous?.incarnation === request.incarnation;
  const instance: Instance = {
    id: request.id ?? defaultId(request),
    name: request.name,
    host: request.host,
    port: request.port,
    ...(request.healthCheckUrl !== undefined && { healthCheckUrl: request.healthCheckUrl }),
    weight: request.weight ?? 1,
    metadata: freezeMetadata(request.metadata),
    status: 'up',
    heartbeatInterval: request.heartbeatInterval ?? defaultHeartbeatInterval,
    incarnation: request.incarnation,
    registeredAt: sameProcess ? previous.registeredAt : now,
    lastHeartbeat: now,
  };
  return previous !== undefined && isSameContent(previous, instance) ? previous : Object.freeze(instance);
}

function freezeMetadata(metadata: Readonly<Record<string, string>> = noMetadata): Instance['metadata'] {
  return Object.keys(metadata).length === 0 ? noMetadata : Object.freeze({ ...metadata });
}

/** Everything but the times, which say nothing about where to call. */
function isSameContent(a: Instance, b: Instance): boolean {
  return (
    a.id === b.id &&
    a.name === b.name &&
    a.host === b.host &&
    a.port === b.port &&
    a.healthCheckUrl === b.healthCheckUrl &&
    a.weight === b.weight &&
    a.heartbeatInterval === b.heartbeatInterval &&
    a.incarnation === b.incarnation &&
    isSameMetadata(a.metadata, b.metadata)
  );
}

function isSameMetadata(a: Instance['metadata'], b: Instance['metadata']): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
