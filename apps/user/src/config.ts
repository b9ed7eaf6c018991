import { port, serviceSettings } from '@mesh/service-kit';
import { z } from 'zod';

/** The environment of the user service. */
export const userConfig = z.object({
  ...serviceSettings,
  PORT: port(4000),
  /** `sqlite:<file>` (shared by the instances on this machine) or `postgres://...`. */
  DATABASE_URL: z.string().min(1).default('sqlite:.mesh/data/user.db'),
});

export type UserConfig = z.output<typeof userConfig>;
