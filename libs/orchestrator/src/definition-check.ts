import type { MeshConfig, ServiceDefinition } from './definition.ts';
import { MeshConfigError } from './mesh-config-error.ts';

const nameFormat = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const mostInstances = 1000;
const restartPolicies: ReadonlySet<string> = new Set(['on-failure', 'never']);

/** Checks one service of a configuration, except what concerns several services at once. */
export function checkDefinition(name: string, definition: ServiceDefinition, config: MeshConfig): void {
  const check = (valid: boolean, rule: string): void => {
    if (!valid) throw new MeshConfigError(`service "${name}": ${rule}`);
  };
  const { command, ports, dependsOn = [], uses = [], health, serviceName, restart } = definition;
  check(nameFormat.test(name), 'its name must be 1 to 63 of a-z, 0-9 and "-", and not begin or end with "-"');
  check(Array.isArray(command) && command.length > 0 && command[0] !== '', 'command must name a program');
  checkPorts(ports, check);
  for (const [list, names] of Object.entries({ dependsOn, uses })) {
    for (const other of names) {
      check(other !== name, `${list} names the service itself`);
      check(Object.hasOwn(config.services, other), `${list} names "${other}", which is not a service`);
    }
  }
  check(
    health === undefined || health.startsWith('/'),
    `health must begin with "/", got "${String(health)}"`,
  );
  check(
    restart === undefined || restartPolicies.has(restart),
    `restart must be "on-failure" or "never", got "${String(restart)}"`,
  );
  checkRegistration(serviceName, config, check);
  for (const setting of ['startTimeoutMs', 'stopTimeoutMs'] as const) {
    const value = definition[setting];
    check(
      value === undefined || (value > 0 && value <= 2 ** 31 - 1),
      `${setting} must be a number of milliseconds > 0, got ${String(value)}`,
    );
  }
}

function checkRegistration(
  serviceName: string | undefined,
  config: MeshConfig,
  check: (valid: boolean, rule: string) => void,
): void {
  const { registry, services } = config;
  if (registry !== undefined && !Object.hasOwn(services, registry)) {
    throw new MeshConfigError(`registry names "${registry}", which is not a service`);
  }
  if (registry !== undefined && services[registry]?.ports === undefined) {
    throw new MeshConfigError(`registry names "${registry}", which has no port`);
  }
  if (serviceName === undefined) return;
  check(nameFormat.test(serviceName), `serviceName "${serviceName}" is not a valid name`);
  check(registry !== undefined, 'serviceName is given, but the configuration names no registry');
}

function checkPorts(ports: ServiceDefinition['ports'], check: (valid: boolean, rule: string) => void): void {
  if (ports === undefined) return;
  const { from, count } = typeof ports === 'number' ? { from: ports, count: 1 } : ports;
  check(
    Number.isInteger(count) && count >= 1 && count <= mostInstances,
    `ports.count must be an integer from 1 to ${mostInstances}, got ${count}`,
  );
  const last = from + count - 1;
  check(
    Number.isInteger(from) && from >= 1 && last <= 65_535,
    `ports must lie in 1..65535, got ${count === 1 ? from : `${from}..${last}`}`,
  );
}
