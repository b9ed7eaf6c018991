import { DatabaseOpenError } from './errors.ts';

/** What a URL of a database says. */
export type DatabaseTarget =
  | { readonly engine: 'sqlite'; readonly path: string }
  | { readonly engine: 'postgres'; readonly connectionString: string; readonly schema: string | undefined };

/**
 * Reads `sqlite:./file.db`, `sqlite:/absolute/file.db`, `sqlite::memory:` and
 * `postgres://user:password@host:port/database?schema=orders`.
 */
export function parseDatabaseUrl(url: string): DatabaseTarget {
  const [scheme = ''] = url.split(':', 1);
  if (scheme === 'sqlite') return { engine: 'sqlite', path: sqlitePath(url.slice('sqlite:'.length)) };
  if ((scheme === 'postgres' || scheme === 'postgresql') && URL.canParse(url)) {
    const target = new URL(url);
    if (target.hostname === '' && !target.searchParams.has('host'))
      throw new DatabaseOpenError('database: url names no host');
    const schema = target.searchParams.get('schema') ?? undefined;
    target.searchParams.delete('schema');
    return { engine: 'postgres', connectionString: target.href, schema };
  }
  // The URL may hold a password anywhere, when it is not well formed, and is not repeated.
  throw new DatabaseOpenError('database: url must be sqlite:<path>, sqlite::memory: or postgres://...');
}

function sqlitePath(text: string): string {
  const path = text.replace(/^\/\/(?=.)/, '');
  if (path === '') throw new DatabaseOpenError('database: url names no file, such as sqlite:./service.db');
  return path;
}
