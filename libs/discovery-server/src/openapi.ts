import type { RouteOptions } from 'fastify';
import { z } from 'zod';

/** The parts of a route that its document shows; what Fastify calls a schema, with zod inside. */
interface RouteSchema {
  readonly summary?: string;
  readonly hide?: boolean;
  readonly params?: z.ZodType;
  readonly querystring?: z.ZodType;
  readonly body?: z.ZodType;
  readonly response?: Readonly<Record<string, z.ZodType>>;
}

/** Collects the routes of the plugin and describes them as OpenAPI 3.1. */
export class OpenApiDocument {
  readonly #paths: Record<string, Record<string, unknown>> = {};

  /** Takes a route in; fits `onRoute`. */
  add({ url, method, schema }: RouteOptions): void {
    const route = (schema ?? {}) as RouteSchema;
    if (route.hide === true) return;
    const path = url.replace(/:(\w+)/g, '{$1}');
    for (const one of [method].flat()) {
      if (one === 'HEAD') continue;
      this.#paths[path] = { ...this.#paths[path], [one.toLowerCase()]: operation(route) };
    }
  }

  toJSON(): object {
    const info = { title: 'Service discovery', version: '1.0.0', description: 'Who is alive, and where.' };
    const securitySchemes = { bearer: { type: 'http', scheme: 'bearer' } };
    return { openapi: '3.1.0', info, paths: this.#paths, components: { securitySchemes } };
  }
}

function operation({ summary, params, querystring, body, response = {} }: RouteSchema): object {
  const answers = Object.entries(response).map(([status, schema]) => [
    status,
    { description: status === '201' ? 'Created' : 'OK', content: content(schema, 'output') },
  ]);
  const problem = { description: 'Problem (RFC 9457)', content: { 'application/problem+json': {} } };
  return {
    summary,
    parameters: [...parameters(params, 'path'), ...parameters(querystring, 'query')],
    ...(body && { requestBody: { required: true, content: content(body, 'input') } }),
    responses: { ...(Object.fromEntries(answers) as object), default: problem },
  };
}

function content(schema: z.ZodType, io: 'input' | 'output'): object {
  return { 'application/json': { schema: jsonSchema(schema, io) } };
}

function parameters(schema: z.ZodType | undefined, where: 'path' | 'query'): object[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = jsonSchema(schema, 'input');
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    schema: property,
  }));
}

function jsonSchema(
  schema: z.ZodType,
  io: 'input' | 'output',
): { properties?: Record<string, unknown>; required?: string[] } {
  const described: { properties?: Record<string, unknown>; required?: string[]; $schema?: string } =
    z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  delete described.$schema;
  return described;
}
