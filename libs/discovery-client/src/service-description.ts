import { within } from './discovery-client-options.ts';
import type { ServiceDescription } from './instance.ts';
import { isServiceName } from './instance.ts';

/** Checks what a service says about itself and adds the default interval. Throws a RangeError naming the field. */
export function readDescription(
  service: ServiceDescription,
  defaultHeartbeatInterval: number,
): ServiceDescription {
  const { name, port, heartbeatInterval = defaultHeartbeatInterval } = service;
  if (typeof name !== 'string' || !isServiceName(name)) {
    const rule = 'lower-case letters, digits and inner hyphens, at most 63';
    throw new RangeError(`discoveryClient: name must be ${rule}, got ${JSON.stringify(name)}`);
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new RangeError(`discoveryClient: port must be an integer from 1 to 65535, got ${String(port)}`);
  }
  return { ...service, heartbeatInterval: within('heartbeatInterval', heartbeatInterval, 0.05, 3600) };
}
