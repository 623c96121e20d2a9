/** The fields of `GET /messages/{id}` that the demo reads. */
export interface MessageTrace {
  readonly id: string
  readonly direction: 'Originating' | 'Incoming'
  readonly tls: { readonly negotiated: boolean; readonly protocol: string | null }
  readonly envelope: { readonly mailFrom: string; readonly rcptTo: readonly string[] }
  readonly recipients: readonly RecipientTrace[]
}

export interface RecipientTrace {
  readonly address: string
  readonly state: 'Pending' | 'Delivered' | 'Deferred' | 'Bounced'
  readonly verdict: {
    readonly connectors: { readonly inbound: string | null; readonly outbound: string | null }
  } | null
  readonly attempts: readonly {
    readonly host: string | null
    readonly tls: { readonly protocol: string; readonly verified: boolean } | null
    readonly policySource: string | null
    readonly reply: string
  }[]
}
