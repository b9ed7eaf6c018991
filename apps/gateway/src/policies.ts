import {
  ApiKeys,
  authentication,
  IdentitySigner,
  JwtVerifier,
  LoopDelay,
  Overload,
  rateLimit,
  readApiKeys,
  ResponseCache,
  SharedCounts,
  type RoutePolicies,
} from '@mesh/gateway';
import { createClient } from '@redis/client';
import type { FastifyInstance } from 'fastify';
import type { GatewayConfig } from './config.ts';

/** What routes may name, as the environment has set it up. */
export interface Policies {
  readonly routes: RoutePolicies;
  readonly cache: ResponseCache;
  readonly overload: Overload;
}

/** Sets the policies up; what they open closes with `app`. @throws RangeError, ZodError for keys that are none. */
export async function policiesOf(config: GatewayConfig, app: FastifyInstance): Promise<Policies> {
  const cache = new ResponseCache({ maxBytes: config.CACHE_MAX_BYTES });
  // An event loop that is a second late with everything should not begin anything new.
  const pressure = new LoopDelay({ maxDelayMs: 500 });
  const overload = new Overload({
    maxInFlight: config.MAX_IN_FLIGHT,
    pressure: pressure.pressure,
  });
  app.addHook('onClose', (_app, closed) => {
    pressure.close();
    closed();
  });
  const auth = await authOf(config);
  const shared = sharedCounts(config, app);
  return {
    cache,
    overload,
    routes: {
      overload,
      cache,
      rateLimit: (rules) => rateLimit({ rules, ...(shared !== undefined && { shared }) }),
      ...(auth !== undefined && { auth }),
    },
  };
}

/** Undefined when there is nothing to check a credential with: a route that asks for one is then a fault of the configuration. */
async function authOf(config: GatewayConfig): Promise<RoutePolicies['auth']> {
  const { JWT_JWKS_URL: jwksUrl, JWT_SECRET: secret, API_KEYS_FILE: file, IDENTITY_KEY: key } = config;
  const claims = {
    issuer: config.JWT_ISSUER ?? (false as const),
    audience: config.JWT_AUDIENCE ?? (false as const),
  };
  const keys = jwksUrl !== undefined ? { jwksUrl } : secret !== undefined ? { secret } : undefined;
  const apiKeys = file === undefined ? undefined : new ApiKeys(await readApiKeys(file));
  if (keys === undefined && apiKeys === undefined) return undefined;
  const shown = {
    ...(keys !== undefined && { jwt: new JwtVerifier({ keys, ...claims }) }),
    ...(apiKeys !== undefined && { apiKeys }),
    ...(key !== undefined && { signer: new IdentitySigner({ key: { secret: key } }) }),
  };
  return (rules) => authentication({ ...shown, rules });
}

/** Limits that several gateways count together, when there is a Redis; without it each counts for itself. */
function sharedCounts({ REDIS_URL: url }: GatewayConfig, app: FastifyInstance): SharedCounts | undefined {
  if (url === undefined) return undefined;
  const { log } = app;
  const client = createClient({ url, disableOfflineQueue: true });
  // Who is away is told of by the counts, once; the client comes back by itself.
  client.on('error', () => undefined);
  app.addHook('onClose', (_app, closed) => {
    client.destroy();
    closed();
  });
  void client.connect().catch(() => undefined);
  return new SharedCounts({
    client,
    onAway: (cause) => {
      log.warn({ err: cause }, 'limits are counted by each gateway for itself');
    },
    onBack: () => {
      log.info('limits are shared again');
    },
  });
}
