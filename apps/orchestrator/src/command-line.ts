import { parseArgs } from 'node:util';

/** What was asked for on the command line. */
export interface CommandLine {
  readonly config: string;
  readonly isolated: boolean;
  readonly only: readonly string[] | undefined;
  readonly json: boolean;
  readonly noColor: boolean;
  readonly quiet: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

/** The caller asked for something that there is not; exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'ERR_USAGE';
}

export const usage = `Starts every service of a mesh in order, waits until all are ready, and stops them in reverse order.

Usage: npm start -- [options]

  --config <file>    what to start (default: mesh.config.ts in the current folder)
  --isolated         let the system choose free ports, so that several meshes run beside each other
  --only <a,b>       start only these services and what they depend on
  --json             tell every event as one line of JSON
  --quiet            leave out what the services log
  --no-color         plain text (NO_COLOR does the same)
  --version          print the version
  --help             print this

While it runs, type help for its commands; they may also come through a pipe.
Ctrl+C stops everything in order; a second Ctrl+C kills.

Exit codes: 0 stopped as asked, 1 the start failed or a service was given up, 2 wrong usage or configuration,
130 killed by the second Ctrl+C.
`;

/** @throws UsageError */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const values = parse(argv);
  const only = values.only?.split(',').map((name) => name.trim());
  if (only?.includes('')) throw new UsageError('--only needs the names of services, separated by commas');
  return {
    config: values.config ?? 'mesh.config.ts',
    isolated: values.isolated ?? false,
    only,
    json: values.json ?? false,
    noColor: values['no-color'] ?? false,
    quiet: values.quiet ?? false,
    help: values.help ?? false,
    version: values.version ?? false,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        config: { type: 'string', short: 'c' },
        isolated: { type: 'boolean' },
        only: { type: 'string' },
        json: { type: 'boolean' },
        'no-color': { type: 'boolean' },
        quiet: { type: 'boolean', short: 'q' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    }).values;
  } catch (error) {
    // Node adds a hint about "--" after the first sentence, which nobody who types options needs.
    const [sentence = ''] = (error as Error).message.split('. ');
    throw new UsageError(`${sentence}; --help lists the options`, { cause: error });
  }
}
