import { fastifyStatic } from '@fastify/static';
import type { FastifyPluginAsync } from 'fastify';
import { fileURLToPath } from 'node:url';

export interface DashboardOptions {
  /** Folder with `index.html` and whatever it loads from `/page/`. */
  readonly folder: string | URL;
}

const web = fileURLToPath(new URL('../web/', import.meta.url));

/** No inline script, nothing from elsewhere, not to be framed. */
const contentSecurityPolicy =
  "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/**
 * Serves `<folder>/index.html` at `GET /`, the rest of the folder under `/page/` and the shared
 * style sheet and helpers under `/dashboard/`.
 */
export const dashboard: FastifyPluginAsync<DashboardOptions> = async (app, { folder }) => {
  const root = typeof folder === 'string' ? folder : fileURLToPath(folder);
  const headers = { 'content-security-policy': contentSecurityPolicy, 'cache-control': 'no-cache' };
  await app.register(fastifyStatic, { root: web, prefix: '/dashboard/', index: false });
  await app.register(fastifyStatic, { root, prefix: '/page/', index: false, decorateReply: false });
  // Pages are not part of the API that @fastify/swagger describes.
  const schema: object = { hide: true };
  app.get('/', { schema }, (_request, reply) => reply.headers(headers).sendFile('index.html', root));
};
