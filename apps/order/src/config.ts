import { port, serviceSettings } from '@mesh/service-kit';
import { z } from 'zod';

/** The environment of the order service. */
export const orderConfig = z.object({
  ...serviceSettings,
  PORT: port(5000),
  /** `sqlite:<file>` (shared by the instances on this machine) or `postgres://...`. */
  DATABASE_URL: z.string().min(1).default('sqlite:.mesh/data/order.db'),
});

export type OrderConfig = z.output<typeof orderConfig>;
