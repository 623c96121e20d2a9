/** Options for fetching the URLs in certificates from this machine. */
import type { UntrustedRequestOptions } from '../../../shared/net/untrusted-request.ts'
import { systemResolver } from './system-resolver.ts'

/**
 * Private addresses are allowed, because a private authority may be in this machine's network. Attack: an untrusted
 * certificate names a cloud's metadata service (169.254.169.254). Defence: link-local addresses are not allowed.
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
 * @param timeout timeout of the whole request in milliseconds
 * @param body maximum octets of the response body
 */
export const fetchOptions = (timeout: number, body: number): UntrustedRequestOptions => ({
  resolver: systemResolver,
  privateNetworks: reachableNetworks,
  limits: { totalMs: timeout, idleTimeoutMs: timeout, maxBodyOctets: body },
})
