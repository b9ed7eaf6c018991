import { readFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { isMeshConfigError, Mesh, type MeshConfig } from '@mesh/orchestrator';
import { parseCommandLine, usage, UsageError, type CommandLine } from './command-line.ts';
import { loadConfig } from './config-file.ts';
import { JsonView } from './json-view.ts';
import { Session, type SessionOptions } from './session.ts';
import { TextView } from './text-view.ts';
import type { View } from './view.ts';

/** All that the command touches; main.ts gives it the real ones. */
export interface World {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable;
  readonly stdout: Writable & { hasColors?: (env?: object) => boolean };
  readonly stderr: Writable;
  readonly signals: SessionOptions['signals'];
}

/** Runs the command. @returns its exit code. */
export async function run(world: World): Promise<number> {
  try {
    const line = parseCommandLine(world.argv);
    if (line.help) return print(world, usage);
    if (line.version) return print(world, `${version()}\n`);
    return await runMesh(world, line);
  } catch (error) {
    if (!(error instanceof UsageError) && !isMeshConfigError(error)) throw error;
    world.stderr.write(`mesh: ${error.message.replace(/^mesh: /, '')}\n`);
    return 2;
  }
}

async function runMesh(world: World, line: CommandLine): Promise<number> {
  const { config, folder } = await loadConfig(line.config, world.cwd);
  const view = createView(world, line);
  const mesh = new Mesh(config, {
    isolated: line.isolated,
    cwd: folder,
    env: world.env,
    onEvent: (event) => {
      view.event(event);
    },
    ...(line.only !== undefined && { only: line.only.map((name) => findService(name, config)) }),
  });
  const describe = (): { urls: string[]; hints: readonly string[] } => ({
    urls: entrances(config, mesh),
    hints: config.hints?.({ url: (service) => urlOf(service, mesh) ?? '' }) ?? [],
  });
  const session = new Session({
    mesh,
    view,
    input: world.stdin,
    signals: world.signals,
    describe,
    // That of this process itself: loading and checking are part of the wait.
    startedAt: 0,
  });
  // The reader has left (a closed pipe, a closed terminal): nobody could see what goes on.
  world.stdout.on('error', session.stop);
  world.stderr.on('error', session.stop);
  return session.run();
}

function createView({ stdout, stderr, env }: World, { json, quiet, noColor }: CommandLine): View {
  const out = (text: string): void => {
    stdout.write(text);
  };
  if (json) return new JsonView(out, quiet);
  const err = (text: string): void => {
    stderr.write(text);
  };
  return new TextView({ out, err, quiet, colors: !noColor && stdout.hasColors?.(env) === true });
}

/** Where people come in: services that no other needs, then the registry. */
function entrances(config: MeshConfig, mesh: Mesh): string[] {
  const needed = Object.values(config.services).flatMap(({ dependsOn = [], uses = [] }) => [
    ...dependsOn,
    ...uses,
  ]);
  const names = Object.keys(config.services).filter(
    (name) => !needed.includes(name) && name !== config.registry,
  );
  return [...names, ...(config.registry === undefined ? [] : [config.registry])].flatMap((name) => {
    const url = urlOf(name, mesh);
    return url === undefined ? [] : `${url}/`;
  });
}

function urlOf(service: string, mesh: Mesh): string | undefined {
  return mesh.getSnapshot().find((process) => process.service === service)?.url;
}

/** `user` is enough for `user-service`. */
function findService(name: string, { services }: MeshConfig): string {
  const found = Object.keys(services).filter((service) => service.startsWith(name));
  return !Object.hasOwn(services, name) && found.length === 1 && found[0] !== undefined ? found[0] : name;
}

function print({ stdout }: World, text: string): number {
  stdout.write(text);
  return 0;
}

function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
