type Version = readonly [major: number, minor: number, patch: number];

const comparator = /^(\^|~|>=|<=|>|<|=)?v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?$/;

/**
 * Whether a version is in a range. A range is one or more comparators with spaces between, all of which must hold:
 * `1`, `1.4`, `1.4.2` (what is not written does not matter), `^1.4` (up to the next major, or the next minor below 1),
 * `~1.4.2` (up to the next minor), `>=`, `<=`, `>`, `<`. Pre-releases count as the release they lead to.
 *
 * Throws a RangeError for a range that is none; a version that is none is in no range.
 */
export function inVersionRange(version: string, range: string): boolean {
  const parts = /^v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:[-+].*)?$/.exec(version);
  const found: Version = [Number(parts?.[1]), Number(parts?.[2] ?? 0), Number(parts?.[3] ?? 0)];
  // Each is read before any is judged, so that a wrong one is told whatever the version is.
  const bounds = range.trim().split(/\s+/).map(readBounds);
  return parts !== null && bounds.every(([from, to]) => order(found, from) >= 0 && order(found, to) < 0);
}

const beginning: Version = [0, 0, 0];
const end: Version = [Infinity, 0, 0];

/** The versions of a comparator: from the first, up to but without the second. */
function readBounds(text: string): readonly [Version, Version] {
  const match = comparator.exec(text);
  if (match === null)
    throw new RangeError(`discoveryClient: version must be a version or a range, got ${text}`);
  const [, operator, ...parts] = match as readonly (string | undefined)[];
  const written = parts.filter((part) => part !== undefined).map(Number);
  const [major = 0, minor = 0, patch = 0] = written;
  const from: Version = [major, minor, patch];
  switch (operator) {
    case '>=':
      return [from, end];
    case '<':
      return [beginning, from];
    case '>':
      return [after(from, written.length), end];
    case '<=':
      return [beginning, after(from, written.length)];
    case '^':
      return [
        from,
        after(from, major > 0 || written.length === 1 ? 1 : minor > 0 || written.length === 2 ? 2 : 3),
      ];
    case '~':
      return [from, after(from, Math.min(2, written.length))];
    default:
      return [from, after(from, written.length)];
  }
}

/** The first version in which one of the first `places` numbers is another. */
function after([major, minor, patch]: Version, places: number): Version {
  if (places === 1) return [major + 1, 0, 0];
  return places === 2 ? [major, minor + 1, 0] : [major, minor, patch + 1];
}

function order(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
