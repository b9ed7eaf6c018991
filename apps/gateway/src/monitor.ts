import { RemoteMonitor } from '@mesh/health-server';
import type { FastifyBaseLogger } from 'fastify';
import type { GatewayConfig } from './config.ts';

/** The health monitor of the mesh lives beside the registry; a registry that is not ours (Consul, DNS, a list) has none. */
export function monitorOf(config: GatewayConfig, log: () => FastifyBaseLogger): RemoteMonitor | undefined {
  const [url = ''] = config.DISCOVERY_URL.split(',');
  if (!/^https?:/.test(url)) return undefined;
  return new RemoteMonitor({
    url,
    ...(config.MESH_TOKEN !== undefined && { token: config.MESH_TOKEN }),
    onChange: (error) => {
      if (error === undefined) log().info('the health monitor answers again');
      else log().warn({ err: error }, 'the health monitor does not answer');
    },
  });
}
