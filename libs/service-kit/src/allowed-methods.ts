import { HttpProblem } from '@mesh/problem';
import type { FastifyInstance, RouteOptions } from 'fastify';

/** Which methods a path has, so that a wrong one can be told from a wrong path (RFC 9110 15.5.6). */
export class AllowedMethods {
  readonly #routes = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>();

  /** Notes a route. Catch-all routes say nothing about a path and are left out. */
  add({ url, method }: Pick<RouteOptions, 'url' | 'method'>): void {
    if (url === '*' || url === '/*') return;
    let route = this.#routes.get(url);
    if (route === undefined) this.#routes.set(url, (route = { pattern: patternOf(url), methods: new Set() }));
    for (const name of [method].flat()) route.methods.add(name);
  }

  /** The methods that `path` (without query) has, in alphabetical order; empty when there is no such path. */
  of(path: string): string[] {
    const found = new Set<string>();
    for (const { pattern, methods } of this.#routes.values()) {
      if (pattern.test(path)) methods.forEach((name) => found.add(name));
    }
    return [...found].sort();
  }
}

/**
 * A route of Fastify as a regular expression: `:name` is a part of a segment, a `*` at the end is the rest. A pattern
 * inside a parameter is not looked at: at worst an odd path is answered with 405 instead of 404.
 */
function patternOf(url: string): RegExp {
  const source = url
    .replace(/\([^/]*\)/g, '')
    .split(/(:[^/:.-]+\??|\*)/)
    .map((part) =>
      part === '*' ? '.*' : part.startsWith(':') ? '[^/]+' : part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'),
    )
    .join('');
  return new RegExp(`^${source}$`);
}

/** Answers 405 with `Allow` where the path is known and the method is not, before a body is read. */
export function refuseWrongMethods(app: FastifyInstance): void {
  const allowed = new AllowedMethods();
  app.addHook('onRoute', (route) => {
    allowed.add(route);
  });
  app.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) {
      done();
      return;
    }
    const methods = allowed.of(request.url.split('?', 1)[0] ?? '');
    if (methods.length === 0) {
      done();
      return;
    }
    void reply.header('allow', methods.join(', '));
    done(
      new HttpProblem(
        'ERR_METHOD_NOT_ALLOWED',
        `${request.method} is not allowed here, ${methods.join(', ')} is`,
      ),
    );
  });
}
