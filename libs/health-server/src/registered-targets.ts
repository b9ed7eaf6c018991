import type { Instance } from '@mesh/discovery-client';
import type { Check, HealthMonitor, Target } from '@mesh/health-monitor';
import { httpCheck, tcpCheck } from '@mesh/health-monitor/node';

/** A change of a registry. */
export type RegisteredChange =
  | { readonly type: 'upsert'; readonly instance: Instance }
  | {
      readonly type: 'remove';
      readonly service: string;
      readonly id: string;
      /** `expired` and `disconnected` went without a word. */
      readonly reason: 'deregistered' | 'expired' | 'disconnected' | 'replaced';
    };

/** The part of a registry that is followed; a `Registry` of `@mesh/discovery-server` fits. */
export interface FollowedRegistry {
  instances(): readonly Instance[];
  subscribe(listener: (change: RegisteredChange) => void): () => void;
}

/** How instances become targets. */
export interface FollowOptions {
  /** What is watched of an instance of a service (`name`, or `namespace/name`). Default: its health endpoint when that is on its own host, else its port. */
  readonly targetOf?: (instance: Instance, service: string) => Omit<Target, 'id' | 'service'>;
  /** An instance that vanished without a word is watched for so much longer, in milliseconds: it may come back, and somebody should know. Default 3 600 000 (1 h). */
  readonly missMs?: number;
}

/**
 * Lets a monitor watch everything that is registered. Who deregisters is forgotten; who is replaced at its address too; who went without a word is still
 * watched for `missMs`.
 *
 * @returns the way to stop.
 */
export function followRegistry(
  monitor: HealthMonitor,
  registry: FollowedRegistry,
  options: FollowOptions = {},
): () => void {
  const { targetOf = watched, missMs = 3_600_000 } = options;
  const missing = new Map<string, NodeJS.Timeout>();
  const found = (id: string): void => {
    clearTimeout(missing.get(id));
    missing.delete(id);
  };
  const add = (instance: Instance): void => {
    const service = serviceOf(instance);
    const id = targetId(service, instance.id);
    found(id);
    monitor.add({ ...targetOf(instance, service), id, service });
  };
  const miss = (id: string): void => {
    const forget = (): void => {
      missing.delete(id);
      monitor.remove(id);
    };
    missing.set(id, setTimeout(forget, missMs).unref());
  };
  for (const instance of registry.instances()) add(instance);
  const stop = registry.subscribe((change) => {
    if (change.type === 'upsert') {
      add(change.instance);
      return;
    }
    const id = targetId(change.service, change.id);
    found(id);
    if (change.reason === 'expired' || change.reason === 'disconnected') miss(id);
    else monitor.remove(id);
  });
  return () => {
    stop();
    for (const timer of missing.values()) clearTimeout(timer);
  };
}

/** As the registry names it: `name`, or `namespace/name`. */
const serviceOf = ({ namespace, name }: Instance): string =>
  namespace === undefined ? name : `${namespace}/${name}`;

/** Ids of instances are unique within their service only. */
export const targetId = (service: string, instance: string): string => `${service}:${instance}`;

const watched = (instance: Instance): { check: Check } => ({ check: checkOf(instance) });

/** A registration must not make us ask elsewhere: only its own host. */
function checkOf({ host, port, healthCheckUrl }: Instance): Check {
  if (healthCheckUrl !== undefined && URL.canParse(healthCheckUrl)) {
    const { hostname } = new URL(healthCheckUrl);
    if (hostname.replace(/^\[|\]$/g, '') === host) return httpCheck(healthCheckUrl);
  }
  return tcpCheck({ host, port });
}
