import type { Instance, ServiceDescription } from './instance.ts';
import { readInstance } from './instance.ts';

/** What registers a service at a Consul agent. */
export interface ConsulRegistration {
  readonly ID: string;
  readonly Name: string;
  readonly Address?: string;
  readonly Port: number;
  readonly Meta: Readonly<Record<string, string>>;
  readonly Tags: readonly string[];
  readonly Weights: { readonly Passing: number; readonly Warning: number };
  readonly Check: Readonly<Record<string, string>>;
}

/** A service as the agent has it. */
export interface ConsulService {
  readonly instance: Instance;
}

type Json = Readonly<Record<string, unknown>>;

/** Consul has no fields for these, so they travel in its metadata. */
const own = {
  incarnation: 'mesh-incarnation',
  heartbeatInterval: 'mesh-heartbeat-interval',
  healthCheckUrl: 'mesh-health-check-url',
  version: 'mesh-version',
  zone: 'mesh-zone',
  weight: 'mesh-weight',
} as const;

/** Consul removes what is critical for this long, but never sooner than a minute. */
const minimumReapSeconds = 60;

/** The id of the check of a service. */
export function consulCheck(id: string): string {
  return `service:${id}`;
}

/** A registration in Consul's words. Its weights are whole numbers, so fractions travel beside them. */
export function toConsul(service: ServiceDescription, incarnation: string): ConsulRegistration {
  const { name, port, host, weight = 1, heartbeatInterval = 30, healthCheckUrl, zone, version } = service;
  const id = service.id ?? (host === undefined ? `${name}-${port}` : `${host}:${port}`);
  return {
    ID: id,
    Name: name,
    ...(host !== undefined && { Address: host }),
    Port: port,
    Tags: [],
    Meta: {
      ...service.metadata,
      [own.incarnation]: incarnation,
      [own.heartbeatInterval]: String(heartbeatInterval),
      [own.weight]: String(weight),
      ...(healthCheckUrl !== undefined && { [own.healthCheckUrl]: healthCheckUrl }),
      ...(zone !== undefined && { [own.zone]: zone }),
      ...(version !== undefined && { [own.version]: version }),
    },
    Weights: { Passing: Math.max(1, Math.round(weight)), Warning: 1 },
    Check: {
      CheckID: consulCheck(id),
      Status: 'passing',
      ...(healthCheckUrl === undefined
        ? { TTL: `${Math.round(heartbeatInterval * 1500)}ms` }
        : { HTTP: healthCheckUrl, Interval: '10s', Timeout: '2s' }),
      DeregisterCriticalServiceAfter: `${Math.max(minimumReapSeconds, Math.ceil(heartbeatInterval * 3))}s`,
    },
  };
}

/** The instances in an answer of `/v1/health/service/:name`. */
export function readHealth(name: string, entries: readonly unknown[]): Instance[] {
  return entries
    .map((entry) => {
      const { Service, Node } = (entry ?? {}) as Json;
      const node = (Node ?? {}) as Json;
      return readService(name, (Service ?? {}) as Json, node['Address']);
    })
    .filter((instance) => instance !== undefined);
}

/** The service in an answer of `/v1/agent/service/:id`. */
export function agentService(body: Json | undefined): ConsulService | undefined {
  const name = body?.['Service'];
  const instance = typeof name === 'string' && body ? readService(name, body, 'localhost') : undefined;
  return instance && { instance };
}

function readService(name: string, service: Json, nodeAddress: unknown): Instance | undefined {
  const { ID, Address, Port, Weights } = service;
  const meta = { ...(service['Meta'] as Record<string, string> | null) };
  const passing = ((Weights ?? {}) as Json)['Passing'];
  const known = {
    incarnation: meta[own.incarnation],
    heartbeatInterval: Number(meta[own.heartbeatInterval] ?? Number.NaN),
    healthCheckUrl: meta[own.healthCheckUrl],
    zone: meta[own.zone],
    version: meta[own.version],
    weight: Number(meta[own.weight] ?? passing),
  };
  const others = Object.entries(meta).filter(([key]) => !key.startsWith('mesh-'));
  return readInstance({
    ...known,
    id: ID,
    name,
    host: typeof Address === 'string' && Address !== '' ? Address : nodeAddress,
    port: Port,
    metadata: Object.fromEntries(others),
  });
}
