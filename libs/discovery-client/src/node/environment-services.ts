import type { Instance } from '../instance.ts';
import type { ServiceTable, TableSource } from '../static-provider.ts';
import { parseAddresses } from '../static-provider.ts';

/**
 * Services in environment variables: `USER_SERVICE_URL=http://10.0.0.1:4000,http://10.0.0.2:4000` is `user-service`. A variable
 * that holds something else (another kind of URL, a path) is no service.
 */
export function environmentServices(environment: Readonly<Record<string, string | undefined>>): TableSource {
  return (): ServiceTable => {
    const table = new Map<string, readonly Instance[]>();
    for (const [key, value] of Object.entries(environment)) {
      const [, variable] = /^([A-Z0-9][A-Z0-9_]*)_URL$/.exec(key) ?? [];
      if (variable === undefined || value === undefined || !/^https?:\/\//.test(value)) continue;
      const name = variable.toLowerCase().replaceAll('_', '-');
      table.set(name, parseAddresses(name, value));
    }
    return table;
  };
}
