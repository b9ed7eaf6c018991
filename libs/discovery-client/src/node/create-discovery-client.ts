import type { DiscoveryClientOptions } from '../discovery-client-options.ts';
import { DiscoveryClient } from '../discovery-client.ts';
import type { ProviderContext } from '../provider.ts';
import type { TableSource } from '../static-provider.ts';
import { StaticProvider } from '../static-provider.ts';
import { DnsProvider } from './dns-provider.ts';
import { environmentServices } from './environment-services.ts';
import { reachAddress } from './reach-address.ts';
import { servicesFile } from './services-file.ts';
import { snapshotFile } from './snapshot-file.ts';

/** Options of {@link createDiscoveryClient}. */
export interface NodeDiscoveryClientOptions extends DiscoveryClientOptions {
  /** Where the lists are written down for a start without the registry. One file a process. Default: they are not. */
  readonly snapshotFile?: string;
  /** What `static:env` reads; hand `process.env` in. Without it `static:env` is refused. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** A file or a variable is looked at again this often. */
const staticTtlMs = 5000;

/**
 * A `DiscoveryClient` with what only Node has: addresses that begin with `dns:`, `static:env` and `static:/path/to/services.json`,
 * a snapshot on disk, and a look at the addresses of instances whose absence is doubted (`reach`).
 *
 * @example const client = createDiscoveryClient({ serverUrl: 'dns:///{name}.shop.svc.cluster.local?port=8080' });
 */
export function createDiscoveryClient(options: NodeDiscoveryClientOptions = {}): DiscoveryClient {
  const { snapshotFile: path, environment, providers, ...more } = options;
  return new DiscoveryClient({
    reach: reachAddress,
    ...more,
    ...(path !== undefined && { snapshot: snapshotFile(path) }),
    providers: {
      dns: (context) => new DnsProvider(context),
      static: (context) => new StaticProvider(context, tableOf(context, environment), staticTtlMs),
      ...providers,
    },
  });
}

/** What stands behind `static:`; undefined where the address is the table itself. */
function tableOf(
  { urls }: ProviderContext,
  environment: Readonly<Record<string, string | undefined>> | undefined,
): TableSource | undefined {
  const path = decodeURIComponent(urls[0]?.pathname ?? '');
  if (path === 'env') {
    if (environment === undefined)
      throw new RangeError('discoveryClient: environment must be given for static:env');
    return environmentServices(environment);
  }
  return path.startsWith('/') || path.startsWith('.') ? servicesFile(path) : undefined;
}
