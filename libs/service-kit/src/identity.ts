/** Who answers: the service, and which of its instances. */
export interface Identity {
  /** Name in the registry, for example `user-service`. */
  readonly service: string;
  /** `<service>-<port>`, for example `user-service-4000`. Also the id of the registration. */
  readonly instance: string;
}

/** The identity of an instance. */
export function identityOf(service: string, port: number): Identity {
  return Object.freeze({ service, instance: `${service}-${port}` });
}
