export type { BackOffOptions } from './back-off.ts';
export {
  defineMesh,
  type EnvContext,
  type MeshConfig,
  type PortRange,
  type RestartPolicy,
  type ServiceDefinition,
} from './definition.ts';
export { Mesh, type MeshOptions } from './mesh.ts';
export { isMeshConfigError, MeshConfigError } from './mesh-config-error.ts';
export { isMeshStartError, MeshStartError, type StartFailure } from './mesh-start-error.ts';
export type {
  LineEvent,
  MeshEvent,
  MeshEventOf,
  PortConflictEvent,
  ProcessState,
  StateEvent,
} from './mesh-event.ts';
export type { PortHolder } from './port-holder.ts';
export type { OutputStream } from './process-group.ts';
export type { ProcessSnapshot } from './process-snapshot.ts';
export type { Gate } from './readiness.ts';
