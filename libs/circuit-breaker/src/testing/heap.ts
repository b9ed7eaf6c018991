declare const process: {
  getBuiltinModule(id: 'node:v8'): { setFlagsFromString(flag: string): void };
  getBuiltinModule(id: 'node:vm'): { runInNewContext(code: string): unknown };
  getBuiltinModule(id: 'node:process'): { memoryUsage(): { heapUsed: number } };
};

process.getBuiltinModule('node:v8').setFlagsFromString('--expose-gc');
const collect = process.getBuiltinModule('node:vm').runInNewContext('gc') as () => void;

/** Bytes in use once all that nobody holds has been collected. */
export async function heapUsed(): Promise<number> {
  // What a promise or a WeakRef holds, it holds until the turn ends.
  await new Promise((resolve) => {
    setTimeout(resolve, 0);
  });
  collect();
  return process.getBuiltinModule('node:process').memoryUsage().heapUsed;
}

declare function setTimeout(callback: (value: unknown) => void, delayMs: number): unknown;
