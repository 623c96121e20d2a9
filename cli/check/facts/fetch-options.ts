/** How the URLs in certificates are fetched from this machine. */
import type { ForeignOptions } from '../../../shared/net/foreign-exchange.ts'
import { systemResolver } from './system-resolver.ts'

/**
 * A private authority answers in a private network, in which this machine is too. Link-local addresses are left out: no
 * authority has one, but the metadata service of a cloud does (169.254.169.254), which a stranger's certificate could name.
 */
export const reachableNetworks = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '::1/128',
  'fc00::/7',
]

/**
 * @param timeout milliseconds in all
 * @param body octets of the answer
 */
export const fetchOptions = (timeout: number, body: number): ForeignOptions => ({
  resolver: systemResolver,
  privateNetworks: reachableNetworks,
  limits: { whole: timeout, silence: timeout, body },
})
