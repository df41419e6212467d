/** One listener, as the configuration resolved it. */
export interface ListenerOptions {
  readonly address:
    | { readonly host: string; readonly port: number }
    | { readonly path: string; readonly mode: number | undefined }
  readonly tls: ListenerTls | undefined
  /** Only this tenant's users exist here. */
  readonly tenant: string | undefined
  /** `optional`: without AUTH the client is the tenant's user "default". */
  readonly login: 'required' | 'optional'
}

/** PEM texts. */
export interface ListenerTls {
  readonly cert: Buffer
  readonly key: Buffer
}
