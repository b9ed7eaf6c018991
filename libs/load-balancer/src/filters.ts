import type { Endpoint } from './endpoint.ts';

/** Says whether an endpoint belongs to a set. Any function of yours is one. */
export type Filter<E extends Endpoint = Endpoint> = (endpoint: E) => boolean;

/** All of them must agree; with none every endpoint passes. */
export function allOf<E extends Endpoint>(...filters: readonly Filter<E>[]): Filter<E> {
  return (endpoint) => filters.every((filter) => filter(endpoint));
}

/** Endpoints of one of these zones. */
export function inZone(...zones: readonly string[]): Filter {
  return ({ zone }) => zone !== undefined && zones.includes(zone);
}

/** Endpoints of a version: `2` passes 2.0.0 and 2.7.1, `2.7` passes 2.7.1, `2.7.1` only itself. */
export function ofVersion(wanted: string): Filter {
  return ({ version }) => version === wanted || version?.startsWith(`${wanted}.`) === true;
}

/** Endpoints whose metadata has all of these values. */
export function withMetadata(wanted: Readonly<Record<string, unknown>>): Filter {
  const entries = Object.entries(wanted);
  return ({ metadata }) => entries.every(([name, value]) => metadata?.[name] === value);
}

/** Endpoints that say they are available now. */
export const isAvailable: Filter = ({ available }) => available !== false;
