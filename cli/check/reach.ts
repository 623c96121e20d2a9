/** How addresses in certificates are asked from the machine of whoever checks them. */
import type { ForeignOptions } from '../../shared/net/foreign-exchange.ts'
import { systemResolver } from './system-resolver.ts'

export interface Reach {
  /** Milliseconds in all. */
  readonly timeout: number
}

/**
 * A private authority answers in a private network, and whoever checks it is in there with it. At link-local addresses is
 * no authority, but the metadata service of a cloud (169.254.169.254), whom a stranger's certificate would have asked.
 */
export const anywhere = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '::1/128',
  'fc00::/7',
]

/** @param body octets of the answer */
export const reach = ({ timeout }: Reach, body: number): ForeignOptions => ({
  resolver: systemResolver,
  privateNetworks: anywhere,
  limits: { whole: timeout, silence: timeout, body },
})
