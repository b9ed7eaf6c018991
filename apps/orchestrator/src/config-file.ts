import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { MeshConfig } from '@mesh/orchestrator';
import { UsageError } from './command-line.ts';

/** A configuration and the folder that it speaks of. */
export interface LoadedConfig {
  readonly config: MeshConfig;
  readonly folder: string;
}

/** Imports a configuration file. @throws UsageError when there is none, or it has a fault. */
export async function loadConfig(file: string, cwd: string): Promise<LoadedConfig> {
  const path = resolve(cwd, file);
  if (!existsSync(path)) throw new UsageError(`there is no ${path}; --config <file> names another`);
  let loaded: { default?: unknown };
  try {
    loaded = (await import(pathToFileURL(path).href)) as { default?: unknown };
  } catch (error) {
    const { message } = error as Error;
    throw new UsageError(`${file} cannot be used: ${message}`, { cause: error });
  }
  if (!isConfig(loaded.default)) {
    throw new UsageError(`${file} has no configuration: it needs "export default defineMesh({ ... })"`);
  }
  return { config: loaded.default, folder: dirname(path) };
}

function isConfig(value: unknown): value is MeshConfig {
  return typeof value === 'object' && value !== null && 'services' in value;
}
