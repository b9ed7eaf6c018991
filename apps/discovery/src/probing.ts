import {
  checkUrl,
  incarnationHeader,
  mayConnect,
  probeInstance,
  probeLookup,
  type HealthCheck,
  type Liveness,
  type Registry,
} from '@mesh/discovery-server';
import { type Check, type HealthMonitor, type Target } from '@mesh/health-monitor';
import { httpCheck, tcpCheck } from '@mesh/health-monitor/node';
import { followRegistry, targetId } from '@mesh/health-server';

type Instance = Parameters<typeof probeInstance>[0];

/**
 * Every instance is asked once, by the monitor: as its registration says, else whether its port accepts. What is found of one that asks to be checked
 * decides in the registry, too: a good answer renews its lease, and while it is down nobody is sent to it.
 *
 * @returns the way to stop.
 */
export function probeRegistered(
  registry: Registry,
  { prober }: Liveness,
  monitor: HealthMonitor,
): () => void {
  const checkOf = (service: string, { id, incarnation }: Instance): HealthCheck | undefined =>
    prober?.checkOf({ service, id, incarnation });
  const unfollow = followRegistry(monitor, registry, {
    targetOf: (instance, service) => targetOf(instance, checkOf(service, instance)),
  });
  const unheard = monitor.on('check', ({ target, result }) => {
    const { service, id } = target;
    const record = registry.service(service)?.get(id.slice(targetId(service, '').length));
    if (record === undefined || checkOf(service, record.instance) === undefined) return;
    if (result.status !== 'down') registry.vouch(record.identity);
    // A process that took the place of one that was down is not blamed for it: that takes a bad answer of its own.
    if (target.status !== 'down') registry.mark(record.identity, 'down', false);
    else if (result.status === 'down') registry.mark(record.identity, 'down', true);
  });
  return () => {
    unfollow();
    unheard();
  };
}

function targetOf(instance: Instance, check: HealthCheck = { type: 'tcp' }): Omit<Target, 'id' | 'service'> {
  const { intervalMs, timeoutMs, rise, fall } = check;
  return {
    check: checkFor(instance, check),
    ...(intervalMs !== undefined && { intervalMs }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(rise !== undefined && { rise }),
    ...(fall !== undefined && { fall }),
  };
}

function checkFor(instance: Instance, check: HealthCheck): Check {
  const { host, port, incarnation } = instance;
  if (!mayConnect(host)) {
    return () => {
      throw new Error(`${host} must not be called`);
    };
  }
  if (check.type === 'http') {
    const from = { header: incarnationHeader, value: incarnation };
    return httpCheck(checkUrl(instance, check).href, { lookup: probeLookup, from });
  }
  if (check.type === 'grpc') {
    return async (signal) =>
      (await probeInstance(instance, check, signal)) ? undefined : { status: 'down', message: 'not serving' };
  }
  return tcpCheck({ host, port, lookup: probeLookup });
}
