import cors from '@fastify/cors';
import type { GuardOptions } from '@mesh/request-guard';
import type { FastifyInstance } from 'fastify';
import { isLoopback } from './config.ts';
import type { ServiceConfig } from './config.ts';

/**
 * Headers that keep a browser from doing more than it should (the constant part of what helmet sends). JSON may load
 * nothing at all; who serves a page sends its own policy with it. No HSTS and no upgrade to HTTPS: who ends TLS decides
 * that.
 */
export const securityHeaders: Readonly<Record<string, string>> = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'x-permitted-cross-domain-policies': 'none',
};

/**
 * Any page may read and post (never with credentials); only pages of origins that are named may use every method.
 * A page that posts has no more than a `curl` has: routes that control the mesh have a guard ({@link guardOptions}).
 */
export function addCors(app: FastifyInstance, origin: ServiceConfig['CORS_ORIGIN']): void {
  if (origin === 'none') return;
  void app.register(cors, {
    origin: typeof origin === 'string' ? '*' : [...origin],
    methods:
      typeof origin === 'string'
        ? ['GET', 'HEAD', 'POST']
        : ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: ['x-instance', 'x-request-id', 'x-trace-id', 'retry-after', 'etag', 'location'],
    maxAge: 600,
    strictPreflight: false,
  });
}

/**
 * Who may change the mesh, for the `guard` of the plugins that serve control routes: the caller must address this host by a
 * name of its own, must not be a page of another origin (unless `CORS_ORIGIN` names it) and must present `MESH_TOKEN`
 * when there is one.
 */
export function guardOptions(
  config: Pick<ServiceConfig, 'HOST' | 'ADVERTISED_HOST' | 'MESH_TOKEN' | 'CORS_ORIGIN'>,
): GuardOptions {
  const { HOST, ADVERTISED_HOST, MESH_TOKEN, CORS_ORIGIN } = config;
  const own = [HOST, ADVERTISED_HOST].filter((host) => host !== undefined && !isLoopback(host)).map(String);
  return {
    ...(MESH_TOKEN !== undefined && { token: MESH_TOKEN }),
    allowedHosts: ['localhost', '127.0.0.1', '[::1]', ...own.map(bracketed)],
    allowedOrigins: typeof CORS_ORIGIN === 'string' ? [] : CORS_ORIGIN,
  };
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}
