import type { Instance, InstanceStatus, SetHash } from '@mesh/discovery-client';
import { instanceHash } from '@mesh/discovery-client';
import { addressKey, hostPort } from './address.ts';
import type { Deadlined } from './deadline-queue.ts';
import type { HealthCheck } from './health-check.ts';
import { isoTime } from './iso-time.ts';
import type { InstanceIdentity, RegistrationRequest } from './registration.ts';
import { RegistryError } from './registry-error.ts';
import { serviceKey } from './service-key.ts';
import type { StoredInstance } from './stored-instance.ts';

/** Seconds between two heartbeats of an instance that does not say. */
export const defaultHeartbeatInterval = 30;

/** Earlier holders of an address that are remembered, to refuse what they still send. */
const maxSuperseded = 8;

const nobody: readonly string[] = Object.freeze([]);

const httpCheck: HealthCheck = Object.freeze({ type: 'http' });

const noMetadata: Readonly<Record<string, string>> = Object.freeze({});

/**
 * What is noted about an instance besides what it says of itself: it called itself unhealthy, its check fails, it is
 * suspect or protected, it drains.
 */
export type Mark = 'unhealthy' | 'down' | 'suspect' | 'protected' | 'draining';

// One number for all, because there may be 100 000 of them.
const bits: Readonly<Record<Mark, number>> = {
  unhealthy: 1,
  down: 2,
  suspect: 4,
  protected: 8,
  draining: 16,
};

/** What an operator decided about an instance. */
export interface Override {
  readonly status?: 'draining' | 'maintenance';
  readonly weight?: number;
}

/** One registered instance: what everybody sees of it, and what only its lease knows. */
export class InstanceRecord implements Deadlined {
  deadline = 0;
  rank = 0;
  slot = -1;
  /** Whether its last sign of life came to this very server; if not, another server decides about its lease. */
  isOurs = true;
  /** How it is checked; undefined: not at all. */
  check: HealthCheck | undefined;
  #lastHeartbeatMs: number;
  #instance: Instance;
  #ownWeight: number;
  #marks = 0;
  #superseded: readonly string[] = nobody;

  constructor(instance: Instance, nowMs: number) {
    this.#instance = instance;
    this.#ownWeight = instance.weight;
    this.#lastHeartbeatMs = nowMs;
  }

  get instance(): Instance {
    return this.#instance;
  }

  /** What callers may be told of: nothing speaks against calling it. */
  get isListed(): boolean {
    return this.#instance.status === 'up';
  }

  /** Made anew each time: it is needed twice for each change, and would be half a registry's memory. */
  get hash(): SetHash {
    return instanceHash(this.#instance);
  }

  get address(): string {
    const { host, port, id } = this.#instance;
    const address = addressKey(host, port);
    // The same text twice would be kept twice.
    return address === id ? id : address;
  }

  get service(): string {
    return serviceKey(this.#instance);
  }

  get identity(): InstanceIdentity {
    const { id, incarnation } = this.#instance;
    return { service: this.service, id, incarnation };
  }

  get leaseMs(): number {
    return Math.round(this.#instance.heartbeatInterval * 1500);
  }

  /** Wall clock, for display. */
  get lastHeartbeatMs(): number {
    return this.#lastHeartbeatMs;
  }

  /** The weight it asked for, whatever an operator decided. */
  get ownWeight(): number {
    return this.#ownWeight;
  }

  /** Incarnations that it replaced, the latest last. */
  get superseded(): readonly string[] {
    return this.#superseded;
  }

  beat(nowMs: number): void {
    this.#lastHeartbeatMs = nowMs;
  }

  has(mark: Mark): boolean {
    return (this.#marks & bits[mark]) !== 0;
  }

  /** @returns whether that is a change. */
  mark(mark: Mark, isSet: boolean): boolean {
    if (this.has(mark) === isSet) return false;
    this.#marks ^= bits[mark];
    return true;
  }

  /** It gave a sign of life, so all doubts end. @returns whether there were any. */
  clearDoubts(): boolean {
    const doubts = this.#marks & (bits.suspect | bits.protected);
    this.#marks ^= doubts;
    return doubts !== 0;
  }

  /** Takes new content; another incarnation supersedes the one before, and what was noted about that one is void. */
  replace(instance: Instance): void {
    const former = this.#instance;
    this.#instance = instance;
    if (former.incarnation !== instance.incarnation) this.#supersede([former.incarnation]);
  }

  /** What a registration says, before {@link InstanceRecord.shown} makes of it what is listed. */
  accept(request: RegistrationRequest, incarnation: string): void {
    if (this.#instance.incarnation !== incarnation) this.#marks = 0;
    this.#ownWeight = request.weight ?? 1;
    this.mark('unhealthy', request.healthy === false);
    this.clearDoubts();
    const check = request.check ?? (request.healthCheckUrl === undefined ? undefined : httpCheck);
    // The same object, so that whoever checks it goes on.
    if (JSON.stringify(check) !== JSON.stringify(this.check)) this.check = check;
  }

  /** Takes what was stored of it elsewhere. */
  adopt(
    { instance, ownWeight, check, isDraining, isUnhealthy, superseded }: StoredInstance,
    isOurs: boolean,
  ): void {
    if (this.#instance.incarnation !== instance.incarnation) this.#marks = 0;
    this.#ownWeight = ownWeight ?? instance.weight;
    this.check = check;
    this.isOurs = isOurs;
    this.mark('draining', isDraining === true);
    this.mark('unhealthy', isUnhealthy === true);
    this.#supersede(superseded ?? nobody);
  }

  /** The content with the weight and status that hold; the very same object when that changes nothing. */
  shown(content: Instance, override: Override | undefined): Instance {
    const weight = override?.weight ?? this.#ownWeight;
    const status = this.#status(override);
    const isProtected = status === 'up' && this.has('protected');
    if (
      content.weight === weight &&
      content.status === status &&
      (content.protected === true) === isProtected
    ) {
      return content;
    }
    return Object.freeze({
      ...unprotected(content),
      weight,
      status,
      ...(isProtected && { protected: true }),
    });
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

  /** The instance with the time of its last heartbeat as it is now; frozen. */
  describe(): Instance {
    const lastHeartbeat = isoTime(this.#lastHeartbeatMs);
    if (lastHeartbeat === this.#instance.lastHeartbeat) return this.#instance;
    return Object.freeze({ ...this.#instance, lastHeartbeat });
  }

  #status(override: Override | undefined): InstanceStatus {
    if (override?.status === 'maintenance') return 'maintenance';
    if (override?.status === 'draining' || this.has('draining')) return 'draining';
    if (this.has('unhealthy') || this.has('down')) return 'down';
    return this.has('suspect') ? 'suspect' : 'up';
  }

  #supersede(incarnations: readonly string[]): void {
    if (incarnations.length === 0) return;
    const earlier = new Set([...this.#superseded, ...incarnations]);
    earlier.delete(this.#instance.incarnation);
    this.#superseded = [...earlier].slice(-maxSuperseded);
  }
}

/** A copy without that mark. */
export function unprotected(instance: Instance): Instance {
  const copy: { -readonly [K in keyof Instance]: Instance[K] } = { ...instance };
  delete copy.protected;
  return copy;
}

/** The id an instance has when it names none. */
export function defaultId({ host, port }: { readonly host: string; readonly port: number }): string {
  return hostPort(host, port);
}

/** The frozen instance that a registration describes, as long as nothing speaks against it. */
export function instanceOf(
  request: RegistrationRequest & { readonly incarnation: string },
  nowMs: number,
  previous: Instance | undefined,
): Instance {
  const { namespace, healthCheckUrl, zone, version } = request;
  const now = new Date(nowMs).toISOString();
  const sameProcess = previous?.incarnation === request.incarnation;
  return Object.freeze({
    id: request.id ?? defaultId(request),
    name: request.name,
    ...(namespace !== undefined && namespace !== 'default' && { namespace }),
    host: request.host,
    port: request.port,
    ...(healthCheckUrl !== undefined && { healthCheckUrl }),
    weight: request.weight ?? 1,
    metadata: freezeMetadata(request.metadata),
    ...(zone !== undefined && { zone }),
    ...(version !== undefined && { version }),
    status: 'up' as const,
    heartbeatInterval: request.heartbeatInterval ?? defaultHeartbeatInterval,
    incarnation: request.incarnation,
    registeredAt: sameProcess ? previous.registeredAt : now,
    lastHeartbeat: now,
  });
}

function freezeMetadata(metadata: Readonly<Record<string, string>> = noMetadata): Instance['metadata'] {
  return Object.keys(metadata).length === 0 ? noMetadata : Object.freeze({ ...metadata });
}

/** Everything but the times, which say nothing about where to call. */
export function isSameContent(a: Instance, b: Instance): boolean {
  return (
    a.id === b.id &&
    a.host === b.host &&
    a.port === b.port &&
    a.status === b.status &&
    a.protected === b.protected &&
    a.healthCheckUrl === b.healthCheckUrl &&
    a.weight === b.weight &&
    a.zone === b.zone &&
    a.version === b.version &&
    a.heartbeatInterval === b.heartbeatInterval &&
    a.incarnation === b.incarnation &&
    isSameMetadata(a.metadata, b.metadata)
  );
}

function isSameMetadata(a: Instance['metadata'], b: Instance['metadata']): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
