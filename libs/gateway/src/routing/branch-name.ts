import type { Branch } from './route-schema.ts';

/** The name of a branch: its own, else the version that it wants, else its service. */
export function branchName({ name, where, service }: Partial<Branch>): string {
  return name ?? where?.version ?? service ?? 'default';
}
