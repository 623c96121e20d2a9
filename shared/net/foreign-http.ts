/**
 * Requests to a URL from an untrusted certificate: CRL and OCSP, in the clear (RFC 5280 §4.2.1.13, RFC 6960 §A.1). The
 * attack: the URL leads into the deployment's network or to a metadata service, to a service other than a web server,
 * or to a server that never stops sending. The defence: only public addresses and listed networks; no well-known port
 * but HTTP's; no redirects; no secrets; limits on time and size. The limit: an attacker on the path can read and change
 * the response, so the caller must verify its signature.
 */
import { connect, isIP, type Socket } from 'node:net'
import { normaliseDomain } from '../mail/domain.ts'
import {
  askAnyAddress,
  type ForeignAnswer,
  type ForeignOptions,
  type ForeignRequest,
  guard,
  noAnswer,
} from './foreign-exchange.ts'
import { askForeign } from './foreign-https.ts'

const longestUrl = 2_048
const firstFreePort = 1_024

/**
 * Never throws. An https URL must use port 443.
 * @param asked method, headers and body
 */
export async function askUrl(
  options: ForeignOptions,
  url: string,
  asked: Omit<ForeignRequest, 'host' | 'path'>,
): Promise<ForeignAnswer> {
  const place = placeOf(url)
  if (typeof place === 'string') return noAnswer(place)
  const { host, path, port, secure } = place
  if (secure) return askForeign(options, { ...asked, host, path })
  return askAnyAddress(
    options,
    { ...asked, host, path },
    {
      open: (address, signal) => open(address, port, options.limits.silence, signal),
      endsWithConnection: true,
      ...(port === 80 ? {} : { port }),
    },
  )
}

interface Place {
  host: string
  port: number
  path: string
  secure: boolean
}

/** @returns the URL's parts, or the reason why it is refused */
function placeOf(text: string): Place | string {
  const url = text.length <= longestUrl ? URL.parse(text) : null
  if (!url) return 'not a URL'
  const { protocol, hostname, pathname, search } = url
  if (protocol !== 'http:' && protocol !== 'https:') return `${protocol.slice(0, 20)} URLs are refused`
  if (url.username || url.password) return 'a URL with a password is refused'
  const address = hostname.replace(/^\[|\]$/g, '')
  const host = isIP(address) ? address : normaliseDomain(hostname)
  if (host === null) return 'a URL without a host name'
  const secure = protocol === 'https:'
  const usual = secure ? 443 : 80
  const port = url.port === '' ? usual : Number(url.port)
  if (port !== usual && (secure || port < firstFreePort)) return `port ${port} is refused`
  return { host, port, path: `${pathname}${search}`, secure }
}

function open(address: string, port: number, silence: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, timeout: silence })
    socket.once('connect', () => resolve(socket))
    guard(socket, silence, signal, reject)
  })
}
