import { openStore } from '@mesh/discovery-server';
import type { AccessToken, Scope } from '@mesh/discovery-server';
import { durationMs, port, serviceSettings, url } from '@mesh/service-kit';
import { z } from 'zod';

/** `name:scope+scope:secret`, several with commas between them. */
const tokens = z
  .string()
  .transform((text, context): readonly AccessToken[] => {
    const read = text.split(',').map(readToken);
    if (read.every((token) => token !== undefined)) return read;
    context.addIssue(
      'must be name:scopes:secret (read, register, admin; 16 characters), separated by commas',
    );
    return z.NEVER;
  })
  .default([]);

function readToken(text: string): AccessToken | undefined {
  const [, name, scopes, token] =
    /^([\w.-]{1,64}):([a-z+]{1,64}):([\x21-\x7e]{16,1024})$/.exec(text.trim()) ?? [];
  if (name === undefined || scopes === undefined || token === undefined) return undefined;
  const names = scopes.split('+');
  return names.every(isScope) ? { name, token, scopes: names } : undefined;
}

function isScope(text: string): text is Scope {
  return ['read', 'register', 'admin'].includes(text);
}

function isStoreUrl(url: string): boolean {
  try {
    void openStore(url)?.close();
    return true;
  } catch {
    return false;
  }
}

/** The environment of the registry. */
export const discoveryConfig = z.object({
  ...serviceSettings,
  PORT: port(3000),
  /** Between two health checks of an instance that is what it was; at most a second while it changes. */
  HEALTH_CHECK_INTERVAL_MS: durationMs(10_000).refine((ms) => ms >= 10, 'must be at least 10'),
  /** How long the first alert of a service waits for others before people are told. */
  ALERT_GROUP_WAIT_MS: durationMs(10_000),
  /** File in which alerts outlive a restart. Default: they do not. */
  ALERT_FILE: z.string().min(1).optional(),
  /** Where notices are posted. Default: they are logged only. */
  ALERT_WEBHOOK_URL: url('http://127.0.0.1').optional(),
  /** Key of the signature of those posts. */
  ALERT_WEBHOOK_SECRET: z.string().min(1).optional(),
  /**
   * Where registrations are kept: `memory:` (the default), `file:///path` for a snapshot that outlives a restart, or
   * `redis://...` for several servers that share them.
   */
  REGISTRY_URL: z
    .string()
    .refine(isStoreUrl, 'must be memory:, file:///path or redis://host')
    .default('memory:'),
  /** Tokens with scopes, besides `MESH_TOKEN`, which may do everything. */
  REGISTRY_TOKENS: tokens,
});

export type DiscoveryConfig = z.output<typeof discoveryConfig>;
