import type { AbortSignalLike } from './signal.ts';

/** Resolves names: `lookup` of `node:dns`, or what takes its place. */
export type Lookup = (hostname: string, options: never, callback: never) => void;

/** The part of a Node emitter that is used here. */
export interface NodeEmitter {
  on(event: string, listener: (value: never) => void): this;
}

/** The part of a Node socket that is used here. */
export interface NodeSocket extends NodeEmitter {
  unref(): unknown;
  destroy(): unknown;
}

/** The part of an answer of `node:http` that is used here. */
export interface NodeResponse extends NodeEmitter {
  readonly statusCode?: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  setEncoding(encoding: 'utf8'): unknown;
  destroy(): unknown;
}

interface NodeRequestOptions {
  readonly agent: false;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignalLike;
  readonly lookup?: Lookup;
}

interface NodeHttp {
  request(
    url: string,
    options: NodeRequestOptions,
    answered: (response: NodeResponse) => void,
  ): NodeEmitter & { end(): unknown };
}

interface NodeFile {
  writeFile(text: string): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

interface NodeFiles {
  readFile(path: string, encoding: 'utf8'): Promise<string>;
  open(path: string, flags: 'w'): Promise<NodeFile>;
  rename(from: string, to: string): Promise<void>;
}

interface NodeModules {
  'node:http': NodeHttp;
  'node:https': NodeHttp;
  'node:net': {
    connect(options: { host: string; port: number; signal: AbortSignalLike; lookup?: Lookup }): NodeSocket;
  };
  'node:fs/promises': NodeFiles;
}

declare const process: {
  getBuiltinModule<K extends keyof NodeModules>(id: K): NodeModules[K];
  kill(pid: number, signal: 0): true;
};

/** A module of Node's, without an import that a bundler for browsers would follow. */
export const nodeModule = <K extends keyof NodeModules>(id: K): NodeModules[K] =>
  process.getBuiltinModule(id);

/** Whether a process can be signalled. Throws `ESRCH` when there is none, `EPERM` when it is somebody else's. */
export const signalZero = (pid: number): true => process.kill(pid, 0);

/** Node's code of an error, `ECONNREFUSED` and the like. */
export const codeOf = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
