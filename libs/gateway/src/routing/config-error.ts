/** One thing that is wrong with a configuration of routes. */
export interface RouteFault {
  /** The file, when there is one. */
  readonly file?: string;
  /** From 1; absent when the configuration did not come as text. */
  readonly line?: number;
  readonly column?: number;
  /** Place in the document: `routes[2].match.prefix`; empty for the whole. */
  readonly path: string;
  /** What was expected, or what it contradicts. */
  readonly message: string;
}

/** Routes that make no sense. `faults` holds everything that is wrong with them, not the first only. */
export class RouteConfigError extends Error {
  override readonly name = 'RouteConfigError';
  readonly code = 'ERR_CONFIG';
  readonly faults: readonly RouteFault[];

  constructor(faults: readonly RouteFault[]) {
    super(`routes: ${faults.map(describe).join('; ')}`);
    this.faults = faults;
  }
}

/** True for a {@link RouteConfigError}, of this or of another copy of the package. */
export function isRouteConfigError(error: unknown): error is RouteConfigError {
  return error instanceof Error && error.name === 'RouteConfigError';
}

/** `routes.yaml:3:14 routes[0].match.prefix must look like ...`, as editors and terminals link it. */
function describe({ file, line, column, path, message }: RouteFault): string {
  const place = [file, line, column].filter((part) => part !== undefined).join(':');
  return [place, path, message].filter((part) => part !== '').join(' ');
}

/** Keys and indexes as one text: `routes[2].match.headers["x-a"]`. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    const name = String(key);
    if (!/^[A-Za-z_]\w*$/.test(name)) return `${text}[${JSON.stringify(name)}]`;
    return text === '' ? name : `${text}.${name}`;
  }, '');
}
