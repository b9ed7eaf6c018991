import type { FastifySchemaCompiler } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import type { ZodType } from 'zod';
import { isHost, isId, isIncarnation, isName } from './fields.ts';
import * as schema from './schemas.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What certainly passes a schema. Of anything else the schema has the last word: these save time and refuse nothing. */
const shortcuts = new Map<unknown, (data: Fields) => boolean>([
  [schema.heartbeatBody, isUsualBeat],
  [schema.heartbeatsBody, areUsualBeats],
  [schema.serviceParams, ({ name }: Fields) => isName(name)],
]);

/** Validates by zod, except for what comes thousands of times a second and is as it should be. */
export const quickValidator: FastifySchemaCompiler<ZodType> = (route) => {
  const validate = validatorCompiler(route);
  const isUsual =
    route.httpPart === 'querystring' && route.schema.safeParse({}).success
      ? isEmpty
      : shortcuts.get(route.schema);
  if (isUsual === undefined) return validate;
  return (data: unknown) => (isFields(data) && isUsual(data) ? { value: data } : validate(data));
};

/** Whether a heartbeat is of the usual kind. */
export function isUsualBeat(beat: Fields): boolean {
  for (const key in beat) if (!isUsualField(key, beat[key])) return false;
  return beat['name'] !== undefined && beat['port'] !== undefined;
}

function isUsualField(key: string, value: unknown): boolean {
  switch (key) {
    case 'name':
    case 'namespace':
      return isName(value);
    case 'port':
      return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65_535;
    case 'heartbeatInterval':
      return typeof value === 'number' && value >= 0.05 && value <= 3600;
    case 'id':
      return isId(value);
    case 'host':
      return isHost(value);
    case 'incarnation':
      return isIncarnation(value);
    case 'healthy':
      return typeof value === 'boolean';
    default:
      return false;
  }
}

function areUsualBeats({ heartbeats, ...others }: Fields): boolean {
  if (!Array.isArray(heartbeats) || !isEmpty(others)) return false;
  const isSized = heartbeats.length >= 1 && heartbeats.length <= 1000;
  return isSized && heartbeats.every((beat: unknown) => isFields(beat) && isUsualBeat(beat));
}

/** Most requests have no query. */
function isEmpty(data: Fields): boolean {
  for (const key in data) if (key !== '') return false;
  return true;
}

function isFields(data: unknown): data is Fields {
  return typeof data === 'object' && data !== null && !Array.isArray(data);
}
