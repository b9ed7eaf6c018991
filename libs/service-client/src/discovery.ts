/** What this library needs to know about an instance; the instances of `@mesh/discovery-client` fit. */
export interface ServiceInstance {
  /** Unique within the service. */
  readonly id: string;
  /** Name or address to connect to. */
  readonly host: string;
  readonly port: number;
  /** Share of the traffic relative to the others (default 1). */
  readonly weight?: number;
  /** `zone`, `version` and `priority` count for the balancer, the rest for its filters. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Where it runs, and which version of it. What is absent here is looked up in the metadata. */
  readonly zone?: string;
  readonly version?: string;
  /** Changes when the instance restarts; its circuit then starts anew. */
  readonly incarnation?: string | number;
}

/** The instances of a service; the array must keep its identity while nothing changes. */
export interface Resolution {
  readonly instances: readonly ServiceInstance[];
}

/** Where instances come from: structural, `DiscoveryClient` fits and so does a static object. */
export interface Discovery {
  /** What is known now, without waiting; undefined when the service was never looked up. */
  peek(name: string): Resolution | undefined;
  /** Looks the service up; rejects when that cannot be done. */
  resolve(name: string, options?: { signal?: AbortSignal }): Promise<Resolution>;
}

const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Whether a name can be a service's: one lower-case DNS label, not `localhost`. */
export function isServiceName(name: string): boolean {
  return label.test(name) && name !== 'localhost';
}

/** The service that an origin names (`http://<service>`), or undefined for a fixed address. */
export function serviceOf(origin: string | URL | undefined): string | undefined {
  if (origin === undefined) return undefined;
  const text = typeof origin === 'string' ? origin : origin.origin;
  if (!text.startsWith('http://')) return undefined;
  const name = text.endsWith('/') ? text.slice(7, -1) : text.slice(7);
  return isServiceName(name) ? name : undefined;
}
