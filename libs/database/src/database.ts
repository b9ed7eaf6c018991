/** One database for one service: embedded SQLite by default, PostgreSQL by URL, the same Kysely code. */
export function database(): string {
  return 'database';
}
