import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';

/** What `/docs` says about the service. */
export interface OpenApiInfo {
  readonly title: string;
  readonly description?: string;
  /** Version of the API. Default `1.0.0`. */
  readonly version?: string;
}

/** Swagger UI keeps its scripts in files of its own; its layout sets styles and shows images that are data. */
const docsPolicy = {
  'default-src': "'self'",
  'img-src': "'self' data:",
  'style-src': "'self' 'unsafe-inline'",
  'object-src': "'none'",
  'base-uri': "'none'",
  'frame-ancestors': "'none'",
};

/** The OpenAPI 3.1 document of all routes (`/docs/json`, `/docs/yaml`) and a page to try them (`/docs`). */
export function addOpenApi(
  app: FastifyInstance,
  { title, description = '', version = '1.0.0' }: OpenApiInfo,
): void {
  app.addHook('onRoute', ({ url, schema }) => {
    if (schema === undefined || ('hide' in schema && schema.hide) || app.hasDecorator('swagger')) return;
    app.log.warn({ url }, 'this route is not in /docs: add it in a plugin, or after `await app.after()`');
  });
  void app.register(swagger, {
    openapi: { openapi: '3.1.0', info: { title, description, version } },
    transform: jsonSchemaTransform,
  });
  void app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: docsPolicy,
    uiConfig: { validatorUrl: null, tryItOutEnabled: true },
    logLevel: 'warn',
  });
}
