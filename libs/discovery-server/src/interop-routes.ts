import { hostPort } from './address.ts';
import type { Instance } from '@mesh/discovery-client';
import { z } from 'zod';
import * as field from './fields.ts';
import type { Gate } from './gate.ts';
import type { OpenApiDocument } from './openapi.ts';
import type { Registry } from './registry.ts';
import { noQuery, targetsAnswer } from './schemas.ts';
import { defaultNamespace, namespaceOf } from './service-key.ts';
import type { TypedApp } from './typed-app.ts';

const prometheusQuery = z.strictObject({
  namespace: field.anyNamespace.optional(),
  service: field.name.optional().describe('Default: all'),
});

/** One entry of Prometheus' HTTP service discovery. */
interface TargetGroup {
  readonly targets: string[];
  readonly labels: Record<string, string>;
}

/** For others' tools: `GET /sd/prometheus` and `GET /openapi.json`. */
export function interopRoutes(
  app: TypedApp,
  registry: Registry,
  gate: Gate,
  document: OpenApiDocument,
): void {
  const onRequest = gate.hook('read');
  app.get(
    '/sd/prometheus',
    {
      onRequest,
      exposeHeadRoute: true,
      schema: {
        summary: 'Targets for Prometheus (HTTP service discovery)',
        querystring: prometheusQuery,
        response: { 200: targetsAnswer },
      },
    },
    (request): TargetGroup[] => {
      const { namespace = defaultNamespace, service } = request.query;
      return registry
        .services()
        .filter(({ key }) => namespace === '*' || namespaceOf(key) === namespace)
        .flatMap((entry) => entry.instances('listed'))
        .filter(({ name }) => service === undefined || name === service)
        .map(targetOf);
    },
  );
  app.get(
    '/openapi.json',
    {
      onRequest,
      exposeHeadRoute: true,
      schema: { summary: 'This document', querystring: noQuery, response: { 200: z.looseObject({}) } },
    },
    () => document.toJSON() as Record<string, unknown>,
  );
}

/** `__meta_` labels are there for relabelling; Prometheus drops them afterwards. */
function targetOf(instance: Instance): TargetGroup {
  const { name, namespace = defaultNamespace, id, host, port, zone, version, metadata } = instance;
  const labels: Record<string, string> = {
    __meta_mesh_service: name,
    __meta_mesh_namespace: namespace,
    __meta_mesh_instance: id,
    ...(zone !== undefined && { __meta_mesh_zone: zone }),
    ...(version !== undefined && { __meta_mesh_version: version }),
    ...(metadata['metrics_path'] !== undefined && { __metrics_path__: metadata['metrics_path'] }),
  };
  for (const [key, value] of Object.entries(metadata)) {
    labels[`__meta_mesh_metadata_${key.replace(/[^a-zA-Z0-9_]/g, '_')}`] = value;
  }
  return { targets: [hostPort(host, port)], labels };
}
