import { port, serviceSettings } from '@mesh/service-kit';
import { z } from 'zod';

/** The environment of the registry. */
export const discoveryConfig = z.object({ ...serviceSettings, PORT: port(3000) });

export type DiscoveryConfig = z.output<typeof discoveryConfig>;
