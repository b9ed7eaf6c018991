/// <reference types="node" />
import { readFile } from 'node:fs/promises';
import { DiscoveryError } from '../discovery-error.ts';
import type { Instance } from '../instance.ts';
import { isServiceName, readInstance } from '../instance.ts';
import { parseObject } from '../registry-answer.ts';
import type { ServiceTable, TableSource } from '../static-provider.ts';
import { instanceAt, parseAddresses } from '../static-provider.ts';

/**
 * Services in a JSON file: `{ "user-service": ["10.0.0.1:4000", { "host": "10.0.0.2", "port": 4000, "zone": "b" }] }`. It is
 * read again when a list is due; one that cannot be read changes nothing.
 */
export function servicesFile(path: string): TableSource {
  return async (): Promise<ServiceTable> => {
    try {
      return readTable(await readFile(path, 'utf8'));
    } catch (error) {
      throw new DiscoveryError('ERR_DISCOVERY_UNAVAILABLE', `the services in ${path} cannot be read`, {
        cause: error,
      });
    }
  };
}

function readTable(text: string): ServiceTable {
  const services = parseObject(text);
  if (services === undefined || Array.isArray(services)) throw new TypeError('not an object of services');
  return new Map(
    Object.entries(services).map(([name, addresses]) => {
      if (!isServiceName(name) || !Array.isArray(addresses))
        throw new TypeError(`${name} is not a service with a list of addresses`);
      return [name, addresses.flatMap((address) => readAddress(name, address))];
    }),
  );
}

function readAddress(name: string, address: unknown): readonly Instance[] {
  if (typeof address === 'string') return parseAddresses(name, address);
  const { host, port } = (address ?? {}) as Partial<Instance>;
  const instance =
    typeof host === 'string' && typeof port === 'number'
      ? readInstance({ ...instanceAt(name, host, port), ...(address as object), name })
      : undefined;
  if (instance === undefined) throw new TypeError(`${name} has an address without host and port`);
  return [instance];
}
