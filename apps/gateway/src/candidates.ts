import type { Candidate } from '@mesh/gateway';
import type { ServiceClient } from '@mesh/service-client';
import type { ServiceContext } from '@mesh/service-kit';

/** The instances of a service as registry and client know them: what they say of themselves, and how they do. */
export function candidates(
  service: string,
  discovery: Pick<ServiceContext['discovery'], 'peek'>,
  client: Pick<ServiceClient, 'getSnapshot'>,
): Candidate[] {
  const { services } = client.getSnapshot();
  const known = Object.hasOwn(services, service) ? (services[service]?.instances ?? []) : [];
  const states = new Map(known.map((instance) => [instance.id, instance]));
  return (discovery.peek(service)?.instances ?? []).map(({ id, host, port, version, metadata }) => {
    const { state = 'closed', available = true, inflight = 0, latencyMs } = states.get(id) ?? {};
    return {
      ...{ id, host, port, metadata, state, available, inflight, latencyMs },
      ...(version !== undefined && { version }),
    };
  });
}
