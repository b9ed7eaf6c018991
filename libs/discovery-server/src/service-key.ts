/** Instances that name no namespace are in this one. */
export const defaultNamespace = 'default';

/** A service within a namespace. */
export interface ServiceName {
  readonly name: string;
  /** Absent: `default`. */
  readonly namespace?: string | undefined;
}

/** `name` in the namespace `default`, `namespace/name` in another: what names a service in one text. */
export function serviceKey({ name, namespace = defaultNamespace }: ServiceName): string {
  return namespace === defaultNamespace ? name : `${namespace}/${name}`;
}

/** The namespace that a key says. */
export function namespaceOf(key: string): string {
  const slash = key.indexOf('/');
  return slash === -1 ? defaultNamespace : key.slice(0, slash);
}

/** A name within a namespace, unless it is qualified already. */
export function qualify(name: string, namespace: string | undefined): string {
  return name.includes('/') ? serviceKey(serviceName(name)) : serviceKey({ name, namespace });
}

/** The parts of a key; the namespace `default` is not named. */
export function serviceName(key: string): { readonly name: string; readonly namespace?: string } {
  const namespace = namespaceOf(key);
  const name = key.slice(key.indexOf('/') + 1);
  return namespace === defaultNamespace ? { name } : { name, namespace };
}
