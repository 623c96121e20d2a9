/**
 * Requests to a URL from an untrusted certificate: CRL and OCSP, mostly in the clear (RFC 5280 §4.2.1.13, RFC 6960
 * §A.1). The attack: the URL names an address in the deployment's network, a metadata service, a service other than a
 * web server, or a server that never stops sending. The defence: only public addresses and listed networks; no port
 * below 1024 except the scheme's default; no redirects; no secrets; limits on time and size. Not covered: without TLS,
 * an attacker on the path can read and change the response, so the caller must verify its signature.
 */
import { connect, isIP, type Socket } from 'node:net'
import { normaliseDomain } from '../mail/domain.ts'
import { fetchUntrusted } from './untrusted-https.ts'
import {
  destroyOnAbortOrTimeout,
  fetchFromAnyAddress,
  noResponse,
  type UntrustedRequest,
  type UntrustedRequestOptions,
  type UntrustedResponse,
} from './untrusted-request.ts'

const maxUrlLength = 2_048
const firstUnprivilegedPort = 1_024

/**
 * Never throws. An https URL must use port 443.
 * @param requestSpec method, headers and body
 */
export async function fetchUntrustedUrl(
  options: UntrustedRequestOptions,
  url: string,
  requestSpec: Omit<UntrustedRequest, 'host' | 'path'>,
): Promise<UntrustedResponse> {
  const parts = parseUrl(url)
  if (typeof parts === 'string') return noResponse(parts)
  const { host, path, port, isHttps } = parts
  if (isHttps) return fetchUntrusted(options, { ...requestSpec, host, path })
  return fetchFromAnyAddress(
    options,
    { ...requestSpec, host, path },
    {
      connectTo: (address, signal) => connectTo(address, port, options.limits.idleTimeoutMs, signal),
      allowBodyWithoutLength: true,
      ...(port === 80 ? {} : { port }),
    },
  )
}

interface UrlParts {
  host: string
  port: number
  path: string
  isHttps: boolean
}

/** @returns the URL's parts, or the reason why it is refused */
function parseUrl(text: string): UrlParts | string {
  const url = text.length <= maxUrlLength ? URL.parse(text) : null
  if (!url) return 'not a URL'
  const { protocol, hostname, pathname, search } = url
  if (protocol !== 'http:' && protocol !== 'https:') return `${protocol.slice(0, 20)} URLs are refused`
  if (url.username || url.password) return 'a URL with a password is refused'
  const address = hostname.replace(/^\[|\]$/g, '')
  const host = isIP(address) ? address : normaliseDomain(hostname)
  if (host === null) return 'a URL without a host name'
  const isHttps = protocol === 'https:'
  const defaultPort = isHttps ? 443 : 80
  const port = url.port === '' ? defaultPort : Number(url.port)
  if (port !== defaultPort && (isHttps || port < firstUnprivilegedPort)) return `port ${port} is refused`
  return { host, port, path: `${pathname}${search}`, isHttps }
}

function connectTo(
  address: string,
  port: number,
  idleTimeoutMs: number,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, timeout: idleTimeoutMs })
    socket.once('connect', () => resolve(socket))
    destroyOnAbortOrTimeout(socket, idleTimeoutMs, signal, reject)
  })
}
