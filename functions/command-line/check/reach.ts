/** How addresses in certificates are asked from the machine of whoever checks them. */
import type { ForeignOptions } from '../../../shared/net/foreign-exchange.ts'
import { systemResolver } from './system-resolver.ts'

export interface Reach {
  /** Milliseconds in all. */
  readonly timeout: number
}

/** A private authority answers in a private network, and whoever checks it is in there with it. */
export const anywhere = ['0.0.0.0/0', '::/0']

/** @param body octets of the answer */
export const reach = ({ timeout }: Reach, body: number): ForeignOptions => ({
  resolver: systemResolver,
  privateNetworks: anywhere,
  limits: { whole: timeout, silence: timeout, body },
})
